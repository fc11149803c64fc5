import Testing
import Wire

@Suite struct XXHash64Tests {
    private static let seed: UInt64 = 0x0706_0504_0302_0100

    /// Values of the reference implementation (xxHash 0.8).
    private static let vectors: [(words: Int, plain: UInt64, seeded: UInt64)] = [
        (0, 0xef46_db37_51d8_e999, 0xf6e2_1e93_442c_06eb), (1, 0xea3c_5208_1e98_43ec, 0xf6c5_d1c2_709d_f604),
        (3, 0xec32_cbce_6071_2bd3, 0x4544_6974_325e_b261), (4, 0x9520_1824_d969_1a7d, 0x589a_7ed4_415f_ee90),
        (5, 0x380c_334d_d768_f618, 0x6d31_c10e_5b43_ace0), (8, 0xb7f1_beff_3349_be40, 0x35c9_5105_80de_66c5),
        (512, 0x149b_bafd_8954_07c0, 0x4ec7_b189_50f9_7364),
    ]

    @Test func isThePublishedHash() {
        for vector in Self.vectors {
            let words = (0..<UInt64(vector.words)).map { $0 &* 0x9E37_79B9_7F4A_7C15 &+ 0x0123_4567_89AB_CDEF }
            #expect(XXHash64.hash(words.span.bytes, seed: 0) == vector.plain)
            #expect(XXHash64.hash(words.span.bytes, seed: Self.seed) == vector.seeded)
        }
    }
}
