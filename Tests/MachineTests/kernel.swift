// A nucleus that tries one thing, named by the command line, and says on the serial console how it went.
// `run` beside this file boots it once for each thing and looks for what must appear.
import Devices
import Machine

@c func nucleusMain() {
    if commandIs("cost") { measureCosts() }
    if commandIs("boot") { reportBoot() }
    if commandIs("allocate") { tryAllocator() }
    if commandIs("memory") { tryMemoryFunctions() }
    if commandIs("undefined") { overflowInNucleus() }
    if commandIs("null") { touch(0x10) }
    if commandIs("write-text") { overwriteOwnCode() }
    if commandIs("write-alias") { overwrite(UInt64(UInt(bitPattern: Machine.directMap(0x10_0000)))) }
    if commandIs("write-rodata") { overwrite(addressOf(trapStubs: ())) }
    if commandIs("execute-data") { execute(UInt64(UInt(bitPattern: Machine.directMap(0x20_0000)))) }
    if commandIs("stack-nucleus") { say(recurse(1)) }
    if commandIs("stack-program") { overflowProgramStack() }
    if commandIs("trap-program") { trapInProgram() }
    if commandIs("rounds-fault") { faultRounds() }
    if commandIs("rounds-timer") { timerRounds() }
    if commandIs("sleep") { sleepInFault() }
    if commandIs("kernel-call") { kernelCalls() }
    if commandIs("rounds-busy") { busyRounds() }
    if commandIs("network") { askForAddress() }
    if commandIs("frames") { sendFrames() }
    if commandIs("clock") { runClock() }
    Machine.write(serial: "DONE\n")
    Machine.die()
}

func commandIs(_ name: StaticString) -> Bool {
    let line = Machine.bootInformation.commandLine
    guard line.count == name.utf8CodeUnitCount else { return false }
    return name.withUTF8Buffer { text in
        for index in 0..<text.count where text[index] != line[index] { return false }
        return true
    }
}

func say(_ name: StaticString, _ value: UInt64) {
    Machine.write(serial: name)
    Machine.write(serial: "=")
    Machine.write(serialDecimal: value)
    Machine.write(serial: "\n")
}

func say(_ value: UInt64) { say("value", value) }

// MARK: Hooks

/// What the hooks are to do and what they saw.
nonisolated(unsafe) var abortFaults = false
nonisolated(unsafe) var sleepInFaults = false
nonisolated(unsafe) var sleepInInterrupts = false
nonisolated(unsafe) var abortInterrupts = false
nonisolated(unsafe) var faults: UInt64 = 0
nonisolated(unsafe) var interrupts: UInt64 = 0

@c func nucleusPageFault(_ address: UInt64, _ errorCode: UInt64, _ frame: UnsafeMutablePointer<TrapFrame>) {
    faults += 1
    if sleepInFaults {
        let start = Machine.nanoseconds()
        while Machine.nanoseconds() - start < 20_000_000 {
            Machine.armTimer(after: 5_000_000)
            Machine.waitForInterrupt()
        }
        say("slept", 1)
        Machine.abort(address & 0xFFF)
    }
    if abortFaults { Machine.abort(descend(20, address & 0xFFF)) }
}

@c func nucleusInterrupt(_ vector: UInt64) {
    interrupts += 1
    if sleepInInterrupts {
        Machine.armTimer(after: 2_000_000)
        Machine.waitForInterrupt()
        if interrupts == 3 { Machine.abort(descend(20, 7)) }
        return Machine.armTimer(after: 1_000_000)
    }
    if abortInterrupts { Machine.abort(descend(20, vector)) }
}

@c func nucleusTrap(_ frame: UnsafeMutablePointer<TrapFrame>) {
    Machine.writeTrap(frame)
    say("trap", frame.pointee.vector)
    say("overflow", Machine.isStackOverflow(frame) ? 1 : 0)
    Machine.abort(9)
}

@c func nucleusEpitaph() { Machine.write(serial: "EPITAPH recorder\n") }

/// Some frames of stack with live values on the way to an abort.
@inline(never)
func descend(_ depth: UInt64, _ code: UInt64) -> UInt64 {
    if depth == 0 { Machine.abort(code) }
    return descend(depth - 1, code) &+ depth
}

// MARK: The things to try

func reportBoot() {
    let information = Machine.bootInformation
    say("memory", information.memoryBytes)
    say("moduleBytes", information.moduleBytes)
    Machine.write(serial: "module=")
    Machine.write(
        serial: UnsafeRawBufferPointer(
            start: Machine.directMap(information.moduleAddress), count: Int(information.moduleBytes)))
    Machine.write(serial: "\n")
    let free = Machine.takeFreeMemory()
    let last = Machine.directMap(free.upperBound - 8)
    last.storeBytes(of: 42, as: UInt64.self)
    say("lastWord", last.load(as: UInt64.self))
    Machine.writeBuildIdentifier()
    Machine.announceReady()
}

final class Item {
    var value: UInt64
    var next: Item?
    init(_ value: UInt64, _ next: Item?) {
        self.value = value
        self.next = next
    }
}

/// Many times more than the heap holds: freed memory must come back.
func tryAllocator() {
    var sum: UInt64 = 0
    for round in UInt64(0)..<2000 {
        var list: Item?
        for index in UInt64(0)..<100 { list = Item(index &+ round, list) }
        var array: [UInt64] = []
        while let item = list {
            array.append(item.value)
            list = item.next
        }
        sum &+= array.reduce(0, &+)
    }
    say("sum", sum)
}

func tryMemoryFunctions() {
    let source = Machine.directMap(0x100_0000)
    let target = Machine.directMap(0x110_0000)
    for index in 0..<8192 {
        source.storeBytes(of: UInt8(truncatingIfNeeded: index &* 7), toByteOffset: index, as: UInt8.self)
    }
    let moves: [(from: Int, to: Int, count: Int)] = [
        (0, 3, 4096), (5, 1, 1), (9, 8, 4101), (8, 9, 4101), (16, 48, 40), (3, 3, 100),
    ]
    for (from, to, count) in moves {
        target.copyMemory(from: source, byteCount: 8192)
        (target + to).copyMemory(from: target + from, byteCount: count)
        for index in 0..<8192 {
            let moved = index >= to && index < to + count
            let expected = UInt8(truncatingIfNeeded: (moved ? index - to + from : index) &* 7)
            precondition(target.load(fromByteOffset: index, as: UInt8.self) == expected)
        }
    }
    say("copies", 6)
}

@inline(never)
func opaque(_ value: UInt64) -> UInt64 { Machine.timestamp() == 0 ? 0 : value }

func overflowInNucleus() { say(opaque(UInt64.max) + opaque(1)) }

func touch(_ address: UInt64) {
    say(UnsafePointer<UInt64>(bitPattern: UInt(opaque(address))).unsafelyUnwrapped.pointee)
}

func overwrite(_ address: UInt64) {
    UnsafeMutablePointer<UInt8>(bitPattern: UInt(opaque(address))).unsafelyUnwrapped.pointee = 0x90
}

func overwriteOwnCode() { overwrite(0x10_0000) }

/// The first page of read-only data begins with the note of the loader.
func addressOf(trapStubs: Void) -> UInt64 {
    Machine.buildIdentifier.withUnsafeBytes { UInt64(UInt(bitPattern: $0.baseAddress)) }
}

func execute(_ address: UInt64) {
    let function = unsafeBitCast(UInt(opaque(address)), to: (@convention(c) () -> Void).self)
    function()
}

@inline(never)
func recurse(_ depth: UInt64) -> UInt64 {
    if opaque(depth) == 0 { return 0 }
    var room = InlineArray<32, UInt64>(repeating: depth)
    room[Int(opaque(depth) & 31)] = opaque(depth)
    return recurse(depth &+ 1) &+ room[Int(opaque(depth) & 31)]
}

func overflowProgramStack() {
    say("code", Machine.enter({ argument in _ = recurse(argument) }, 1))
    say("again", Machine.enter({ _ in }, 1))
}

func trapInProgram() {
    say("code", Machine.enter({ argument in say(argument + opaque(1)) }, UInt64.max))
    say("code", Machine.enter({ argument in execute(argument) }, MemoryMap.dataWindow.lowerBound))
}

/// Aborts from inside the page-fault handler, twenty frames deep, with the caller's registers full.
func faultRounds() {
    abortFaults = true
    var sum: UInt64 = 0
    for round in UInt64(0)..<100_000 {
        let code = round & 0x7FF | 1
        sum &+= Machine.enter({ argument in touch(MemoryMap.dataWindow.lowerBound + argument) }, code) ^ code
    }
    say("mismatch", sum)
    say("faults", faults)
}

/// Aborts from inside the timer interrupt at whatever instruction the program happens to be.
func timerRounds() {
    abortInterrupts = true
    var wrong: UInt64 = 0
    for round in UInt64(0)..<100_000 {
        Machine.armTimer(after: 1_000 + round & 0xFFF)
        let code = Machine.enter({ argument in
            var value = argument
            while true { value = descendGently(8, value) }
        }, round)
        if code != InterruptVector.timer { wrong += 1 }
    }
    say("wrong", wrong)
    say("interrupts", interrupts)
}

@inline(never)
func descendGently(_ depth: UInt64, _ value: UInt64) -> UInt64 {
    depth == 0 ? opaque(value) : descendGently(depth - 1, value &+ 1) &+ depth
}

/// The nucleus sleeps inside the page-fault handler, and inside an interrupt of a program: interrupts then land on
/// their own stack.
func sleepInFault() {
    sleepInFaults = true
    say("code", Machine.enter({ argument in touch(argument) }, MemoryMap.dataWindow.lowerBound + 5))
    sleepInInterrupts = true
    Machine.armTimer(after: 1_000_000)
    say("code", Machine.enter({ argument in while true { _ = descendGently(8, argument) } }, 1))
    say("interrupts", interrupts)
}

nonisolated(unsafe) var kept: [UInt64] = []

/// What the nucleus allocates in a kernel call outlives the arena.
func kernelCalls() {
    for round in UInt64(0)..<1000 {
        let code = Machine.enter({ argument in
            var own: [UInt64] = []
            for index in UInt64(0)..<100 { own.append(index) }
            Machine.callNucleus { kept.append(argument &+ own[99]) }
        }, round)
        precondition(code == 0)
        Machine.resetArena()
    }
    say("kept", kept.reduce(0, &+))
}

/// Aborts from inside the timer interrupt while the program allocates and calls the kernel: what that keeps is whole.
func busyRounds() {
    abortInterrupts = true
    var wrong: UInt64 = 0
    for round in UInt64(0)..<50_000 {
        Machine.armTimer(after: 2_000 + round & 0x3FFF)
        let code = Machine.enter({ buffers in
            var own: [UInt64] = [], buffers = buffers
            while true {
                // The arena only grows, and an interrupt may come late.
                if own.count == 20 { if buffers > 0 { (own, buffers) = ([], buffers - 1) } else { own.removeLast() } }
                own.insert(UInt64(own.count), at: 0)
                Machine.callNucleus {
                    kept = kept.count == 500 ? [] : kept + [UInt64(kept.count) &+ own[0] / 20]
                }
            }
        }, 500)
        if code != InterruptVector.timer { wrong += 1 }
        Machine.resetArena()
        for index in kept.indices where kept[index] != UInt64(index) { wrong += 1 }
    }
    say("wrong", wrong)
}

/// What things cost in counts of the time stamp counter; under `-icount shift=0` those are guest instructions.
func measureCosts() {
    say("boot", Machine.timestamp() &- Machine.bootInformation.entryTimestamp)
    abortFaults = true
    let start = Machine.timestamp()
    for _ in 0..<1000 { _ = Machine.enter({ argument in touch(argument) }, MemoryMap.dataWindow.lowerBound + 1) }
    say("faultAndAbort", (Machine.timestamp() &- start) / 1000)
    let empty = Machine.timestamp()
    for _ in 0..<1000 { _ = Machine.enter({ _ in }, 1) }
    say("enterAndReturn", (Machine.timestamp() &- empty) / 1000)
    let clock = Machine.timestamp()
    for _ in 0..<1000 { _ = Machine.nanoseconds() }
    say("nanoseconds", (Machine.timestamp() &- clock) / 1000)
}

/// Prints the clock ten times, a tenth of a second apart by its own timer.
func runClock() {
    var last: UInt64 = 0
    for _ in 0..<10 {
        var now = Machine.nanoseconds()
        let end = now + 100_000_000
        while now < end {
            // By one reading: between two of them the host may let the end go by, and the rest would be below zero.
            Machine.armTimer(after: end - now)
            Machine.waitForInterrupt()
            now = Machine.nanoseconds()
        }
        precondition(Machine.nanoseconds() > last)
        last = Machine.nanoseconds()
        say("tick", last)
    }
}

/// Asks QEMU's built-in network for the hardware address of 10.0.2.2, sleeping until the card interrupts.
func askForAddress() {
    let plan = NetworkCardPlan(messageVector: UInt8(InterruptVector.message), interruptLine: 5)
    guard var card = try? findNetworkCard(MachinePlatform(), plan) else { return Machine.write(serial: "no card\n") }
    Machine.openInterruptLine(5)
    say("frame", UInt64(card.maximumFrameBytes))
    let source = card.address
    var answered = false
    for _ in 0..<1000 {
        answered = false
        let isSent = card.transmit(60) { frame in
            for index in 0..<60 { frame.storeBytes(of: 0, toByteOffset: index, as: UInt8.self) }
            for index in 0..<6 {
                frame.storeBytes(of: 0xFF, toByteOffset: index, as: UInt8.self)
                frame.storeBytes(of: source[index], toByteOffset: 6 + index, as: UInt8.self)
                frame.storeBytes(of: source[index], toByteOffset: 22 + index, as: UInt8.self)
            }
            let request: InlineArray<10, UInt8> = [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]
            for index in 0..<10 { frame.storeBytes(of: request[index], toByteOffset: 12 + index, as: UInt8.self) }
            let addresses: InlineArray<14, UInt8> = [10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2]
            for index in 0..<14 { frame.storeBytes(of: addresses[index], toByteOffset: 28 + index, as: UInt8.self) }
        }
        precondition(isSent)
        let deadline = Machine.nanoseconds() + 2_000_000_000
        while !answered && Machine.nanoseconds() < deadline {
            Machine.armTimer(after: 2_000_000_000)
            Machine.waitForInterrupt()
            card.acknowledgeInterrupt()
            while card.receive({ answered = answered || $0.unsafeLoad(fromByteOffset: 21, as: UInt8.self) == 2 }) {}
        }
        precondition(answered)
    }
    say("answers", card.counters.framesReceived)
    say("nanosecondsEach", Machine.nanoseconds() / 1000)
}

/// Sends 100 frames of all lengths, which `frames` beside this file looks for in a recording.
func sendFrames() {
    let plan = NetworkCardPlan(messageVector: UInt8(InterruptVector.message), interruptLine: 5)
    guard var card = try? findNetworkCard(MachinePlatform(), plan) else { return Machine.write(serial: "no card\n") }
    let lengths: InlineArray<5, Int> = [60, 1514, card.maximumFrameBytes, 20_000, card.maximumTransmitBytes]
    for number in 0..<100 {
        let length = min(lengths[number % 5], card.maximumTransmitBytes)
        // A full ring has room again when the device has had some time.
        var patience = 1000
        while !sendFrame(number, length, &card) {
            patience -= 1
            precondition(patience > 0)
            Machine.armTimer(after: 1_000_000)
            Machine.waitForInterrupt()
        }
    }
    say("longest", UInt64(card.maximumTransmitBytes))
    // What the device has taken, it may still have to send.
    let deadline = Machine.nanoseconds() + 200_000_000
    while Machine.nanoseconds() < deadline {
        Machine.armTimer(after: 10_000_000)
        Machine.waitForInterrupt()
    }
}

/// Sends a frame to all stations, of a type for experiments (IEEE 802, 0x88B5), whose bytes tell its number. False when
/// the card has no room for it.
func sendFrame(_ number: Int, _ length: Int, _ card: inout NetworkCard<MachinePlatform>) -> Bool {
    card.transmit(length) { frame in
        for index in 0..<length {
            let byte: Int
            switch index {
            case 0..<12: byte = 0xFF
            case 12: byte = 0x88
            case 13: byte = 0xB5
            default: byte = index * 7 + index >> 8 + number
            }
            frame.storeBytes(of: UInt8(truncatingIfNeeded: byte), toByteOffset: index, as: UInt8.self)
        }
    }
}
