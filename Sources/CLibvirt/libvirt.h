// The C interface of libvirt as the room Cluster sees it. Everything else goes through `VirtualMachines`.
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <libvirt/libvirt-qemu.h>
