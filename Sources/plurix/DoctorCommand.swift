import ArgumentParser
import Cluster
import Control

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check this machine, and say how to mend what is missing.")

    @OptionGroup var common: CommonOptions

    func run() throws {
        let findings = Doctor().findings()
        if common.json { try Terminal.show(json: findings) } else { show(findings) }
        if findings.contains(where: { $0.verdict == .bad }) {
            throw Failure(
                .unavailable, "a cluster cannot start here", advice: "mend what is marked bad", at: "this machine")
        }
    }

    private func show(_ findings: [Doctor.Finding]) {
        for finding in findings {
            let subject = finding.subject + String(repeating: " ", count: max(0, 14 - finding.subject.count))
            Terminal.show("\(finding.verdict.rawValue)  \(subject)\(finding.text)")
            if let remedy = finding.remedy { Terminal.show("      to mend it: \(remedy)") }
        }
    }
}
