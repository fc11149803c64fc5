import ArgumentParser
import Control

struct Completions: ParsableCommand {
    enum Shell: String, CaseIterable, ExpressibleByArgument {
        case bash, zsh, fish
    }

    static let configuration = CommandConfiguration(
        abstract: "Print a completion script.",
        discussion: """
            bash: plurix completions bash > ~/.local/share/bash-completion/completions/plurix
            zsh:  plurix completions zsh > a directory of $fpath, as _plurix
            fish: plurix completions fish > ~/.config/fish/completions/plurix.fish
            """)

    @Argument(help: "The shell.")
    var shell: Shell

    func run() {
        let kind: CompletionShell =
            switch shell {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        Terminal.show(Plurix.completionScript(for: kind))
    }
}
