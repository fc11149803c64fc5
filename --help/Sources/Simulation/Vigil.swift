/// What stays broken while everybody else must go on.
enum Vigil {
    /// A node is dead, which nobody tells the arbiter.
    case dead
    /// A node is heard, and hears nobody [P29].
    case deaf
    /// Two nodes do not reach each other, or one does not reach the other; the arbiter reaches both [P29].
    case apart(isOneWay: Bool)

    /// Drawn from a generator of its own, as what is in `Variety`.
    init(seed: UInt64) {
        var random = Generator(seed ^ 0x7669_6769_6C)
        self = [.dead, .dead, .deaf, .apart(isOneWay: random.chance(500))][random.below(4)]
    }

    /// Commits of each that show that it goes on: who only ends what it was at has one.
    var wantedCommits: Int { if case .dead = self { 1 } else { 3 } }
}
