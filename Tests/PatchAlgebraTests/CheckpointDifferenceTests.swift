import Foundation
import LinearAlgebra
import Safetensors
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import CheckpointLedger
@testable import PatchAlgebra

typealias StoredTensors = [ByteString: (dtype: DType, shape: Shape, bytes: [UInt8])]

@Suite struct CheckpointDifferenceTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func checkpoint(_ name: String, _ tensors: StoredTensors) throws -> Checkpoint {
    let path = directory(name + ".safetensors")
    try SafetensorsWriter.write(tensors, to: path)
    return try Checkpoint(path: path)
  }

  private func stored(_ values: [Float], _ dtype: DType, _ shape: Shape) -> StoredTensors.Value {
    (dtype, shape, values.withUnsafeBufferPointer { narrow($0, to: dtype) })
  }

  /// W of standard deviation 0.02 and W + D with D of the given rank, in float32.
  private func edit(_ rows: Int, _ columns: Int, rank: Int, scale: Double = 0.05, seed: UInt64) -> ([Float], [Float]) {
    var random = SeededGenerator(seed: seed)
    let base = random.gaussians(rows * columns).map { Float($0 * 0.02) }
    let left = Matrix(rows: rows, columns: rank, elements: random.gaussians(rows * rank))
    let right = Matrix(rows: rank, columns: columns, elements: random.gaussians(rank * columns))
    let change = left.multiplied(by: right).scaled(by: scale / Double(rank).squareRoot())
    return (base, zip(base, change.elements).map { Float(Double($0) + $1) })
  }

  // MARK: What differs

  @Test func namesWhatDiffers() throws {
    let same: StoredTensors = ["same": stored([1, 2], .bf16, [2]), "flags": (.u8, [3], [1, 2, 3])]
    let before = same.merging([
      "gone": stored([1], .f32, [1]), "wider": stored([1, 2], .bf16, [2]),
      "moved": stored([3, 4, 0, 12], .f32, [2, 2]),
      "shape": stored([1, 2], .f16, [2]), "count": (.i64, [1], [1, 0, 0, 0, 0, 0, 0, 0]), "nan": stored([1], .f16, [1]),
    ]) { $1 }
    let after = same.merging([
      "new": stored([1], .f32, [1]), "wider": stored([1, 2], .f32, [2]),
      "moved": stored([3, 4, -0.0, 9], .f32, [2, 2]),
      "shape": stored([1, 2], .f16, [1, 2]), "count": (.i64, [1], [2, 1, 0, 0, 0, 0, 0, 0]),
      "nan": stored([.nan], .f16, [1]),
    ]) { $1 }
    var calls: [Int] = []
    let difference = try CheckpointDifference(
      from: checkpoint("before", before), to: checkpoint("after", after),
      progress: { done, total in
        calls.append(done)
        #expect(done <= total)
      })
    #expect(difference.identicalCount == 2 && calls.count == 7)
    let found = Dictionary(uniqueKeysWithValues: difference.differences.map { ($0.name.description, $0.change) })
    #expect(difference.differences.map(\.name).sorted() == difference.differences.map(\.name))
    #expect(found.keys.sorted() == ["count", "gone", "moved", "nan", "new", "shape", "wider"])
    guard case .added? = found["new"], case .removed? = found["gone"], case .bytes(changed: 2)? = found["count"],
      case .retyped(let from, let to, values: .sameValues?)? = found["wider"],
      case .retyped(_, _, values: nil)? = found["shape"],
      case .weights(let nan, rank: nil)? = found["nan"], case .weights(let moved, rank: let rank?)? = found["moved"]
    else {
      Issue.record("\(found)")
      return
    }
    #expect(from.dtype == .bf16 && to.dtype == .f32 && !nan.norm.isFinite && nan.isFinite == (true, false))
    // By hand: 0 became -0, and 12 became 9; norm(W) is 13.
    #expect(moved.changedCount == 2 && moved.elementCount == 4 && moved.norm == 3 && moved.weightNorm == 13)
    #expect(moved.relativeNorm == 3.0 / 13 && moved.maximum == 3 && rank.value == 1 && !rank.isLowerBound)
  }

  /// Both ways of finding singular values, for each type: rounding is told apart from what was built in.
  @Test(arguments: [DType.bf16, .f16, .f32], [(60, 90), (560, 600)])
  func findsTheRankUnderTheRounding(dtype: DType, extents: (Int, Int)) throws {
    let (rows, columns) = extents
    let (base, edited) = edit(rows, columns, rank: 5, seed: 51)
    let difference = try CheckpointDifference(
      from: checkpoint("a", ["w": stored(base, dtype, [rows, columns])]),
      to: checkpoint("b", ["w": stored(edited, dtype, [rows, columns])]))
    guard case .weights(let figures, rank: let rank?) = difference.differences[0].change else {
      Issue.record("\(difference.differences)")
      return
    }
    #expect(rank == NumericalRank([9, 9, 9, 9, 9], isComplete: true, of: figures, rule: .rounding))
    #expect(rank.value == 5 && !rank.isLowerBound)
    #expect(figures.roundingFloor < 0.05 * figures.norm)
  }

  /// A value that became zero has no rounding to speak of: what is left of its difference is the computation's.
  @Test(arguments: [DType.bf16, .f16, .f32], [(128, 160), (540, 600)])
  func theRankOfWhatBecameZero(dtype: DType, extents: (Int, Int)) throws {
    let (rows, columns) = extents
    let (base, edited) = edit(rows, columns, rank: 3, seed: 61)
    func rank(_ rule: NumericalRank.Rule = .rounding, from base: [Float], _ change: (inout [Float]) -> Void) throws
      -> Int?
    {
      var changed = base
      change(&changed)
      let (a, b) = (
        try checkpoint("a", ["w": stored(base, dtype, [rows, columns])]),
        try checkpoint("b", ["w": stored(changed, dtype, [rows, columns])])
      )
      guard
        case .weights(_, rank: let rank?)? = try CheckpointDifference(from: a, to: b, rule: rule).differences.first?
          .change, !rank.isLowerBound
      else { return nil }
      // Without corrections a patch holds as many terms.
      if rank.value > 0, rule == .rounding {
        #expect(try DifferencePatch(from: a, to: b, isCorrected: false).tensors[0].rank == rank.value)
      }
      return rank.value
    }
    for zero: Float in [0, -0.0] {
      for rule in [NumericalRank.Rule.rounding, .tolerance(0)] {
        #expect(try rank(rule, from: base) { $0[7 * columns + 5] = zero } == 1)
        #expect(try rank(rule, from: base) { for column in 0..<columns { $0[7 * columns + column] = zero } } == 1)
        #expect(try rank(rule, from: base) { for row in 0..<rows { $0[row * columns + 5] = zero } } == 1)
      }
      #expect(try rank(from: base) { for index in 0..<3 { $0[(9 + index) * columns + 2 * index] = zero } } == 3)
    }
    #expect(try rank(from: base) { $0[7 * columns + 5] *= 2 } == 1)
    // One zero becomes the other: a difference of bits, of rank 0, also beside one that is more.
    var zeros = base
    for index in 0..<columns { zeros[index] = index % 2 == 0 ? 0 : -0.0 }
    func flip(_ values: inout [Float]) { for index in 0..<columns { values[index] = -values[index] } }
    #expect(try rank(from: zeros, flip) == 0)
    #expect(
      try rank(from: zeros) {
        flip(&$0)
        $0[7 * columns + 5] = 0
      } == 1)
    // A low-rank edit, in which a row was set to zero besides: one more.
    #expect(try rank(from: base) { $0 = edited } == 3)
    #expect(
      try rank(from: base) {
        $0 = edited
        for column in 0..<columns { $0[7 * columns + column] = 0 }
      } == 4)
  }

  /// Where an edit is not much more than the rounding, that lies in all elements of the rows and columns that changed.
  @Test(arguments: [(DType.bf16, 0.0005), (.bf16, 0.001), (.bf16, 0.003), (.bf16, 0.01), (.bf16, 0.03), (.f16, 0.001)])
  func theRankOfAMergedAdapter(dtype: DType, strength: Double) throws {
    var random = SeededGenerator(seed: 71)
    let (rows, columns, rank) = (576, 1536, 8)
    let values = random.gaussians(rows * columns).map { Float($0 * 0.05) }
    let base = stored(values, dtype, [rows, columns])
    let rounded = try checkpoint("a", ["w": base]).matrix(named: "w")
    let change = Matrix(rows: rows, columns: rank, elements: random.gaussians(rows * rank))
      .multiplied(by: Matrix(rows: rank, columns: columns, elements: random.gaussians(rank * columns)))
    let scale = strength * rounded.widened().frobeniusNorm / change.frobeniusNorm
    let merged = zip(rounded.elements, change.elements).map { Float(Double($0) + scale * $1) }
    let (a, b) = (
      try checkpoint("a", ["w": base]), try checkpoint("b", ["w": stored(merged, dtype, [rows, columns])])
    )
    guard case .weights(_, rank: let found?)? = try CheckpointDifference(from: a, to: b).differences.first?.change
    else {
      Issue.record("no rank")
      return
    }
    #expect(!found.isLowerBound)
    // Of what bfloat16 leaves of the weakest some is lost, and nothing is added.
    if dtype == .bf16, strength <= 0.001 { #expect(found.value <= 8) } else { #expect(found.value == 8) }
    guard found.value > 0 else { return }
    #expect(try DifferencePatch(from: a, to: b, isCorrected: false).tensors[0].rank == found.value)
  }

  /// A layer of experts is a stack of matrices, each with a rank of its own; a patch has low rank for single ones.
  @Test func theRankOfAStackOfMatrices() throws {
    let edits = (0..<6).map { edit(48, 64, rank: 4, scale: 0.02, seed: 80 + UInt64($0)) }
    let stack: Shape = [2, 3, 48, 64]
    let (a, b) = (
      try checkpoint("a", ["experts": stored(edits.flatMap(\.0), .bf16, stack)]),
      try checkpoint("b", ["experts": stored(edits.flatMap(\.1), .bf16, stack)])
    )
    let difference = try CheckpointDifference(from: a, to: b).differences[0]
    guard case .weights(_, rank: let rank?) = difference.change else { return }
    #expect(rank.value == 4 && difference.matrixCount == 6)
    let exact = try DifferencePatch(from: a, to: b)
    #expect(exact.tensors[0].rank == 0 && exact.leftOut.isEmpty)
    #expect(throws: ErrataError.self) { _ = try DifferencePatch(from: a, to: b, isCorrected: false) }
  }

  @Test func onlyTheTypeDiffers() throws {
    let values: [Float] = [1, -0.5, 0.1, 3e-3]
    let wide = try checkpoint("a", ["w": stored(values, .f32, [4])])
    let narrow = try checkpoint("b", ["w": stored(values, .bf16, [4])])
    let again = try checkpoint("c", ["w": stored(narrow.matrix(named: "w").elements, .f32, [4])])
    let other = try checkpoint("d", ["w": stored([1, 2, 3, 4], .f16, [4])])
    func retyping(_ first: Checkpoint, _ second: Checkpoint) throws -> (Retyping?, Bool) {
      let difference = try CheckpointDifference(from: first, to: second)
      guard case .retyped(_, _, let values)? = difference.differences.first?.change else { return (nil, false) }
      return (values, difference.isOnlyOfType)
    }
    #expect(try retyping(wide, narrow) == (Retyping.rounded, true))
    #expect(try retyping(narrow, wide) == (Retyping.roundedBack, true))
    #expect(try retyping(narrow, again) == (Retyping.sameValues, true))
    #expect(try retyping(narrow, other) == (Retyping.otherValues, false))
    #expect(try wide.tensor(named: "w").digest(convertedTo: .bf16) == narrow.digest(of: "w"))
  }

  /// Names that differ by a prefix are the same tensors.
  @Test(arguments: [false, true]) func namesWithAPrefix(isInFirst: Bool) throws {
    let (base, edited) = edit(40, 50, rank: 2, seed: 91)
    let plain: StoredTensors = [
      "h.0.down": stored(base, .bf16, [40, 50]), "h.1.down": stored(base, .bf16, [40, 50]),
      "head": stored([1], .f32, [1]),
    ]
    let inside: StoredTensors = [
      "model.h.0.down": stored(edited, .bf16, [40, 50]), "model.h.1.down": stored(base, .bf16, [40, 50]),
      "head": stored([1], .f32, [1]), "other.norm": stored([1], .f32, [1]),
    ]
    let (a, b) = (
      try checkpoint("a", isInFirst ? inside : plain), try checkpoint("b", isInFirst ? plain : inside)
    )
    let difference = try CheckpointDifference(from: a, to: b)
    let name = isInFirst ? "model.h.0.down" : "h.0.down"
    #expect(difference.differences.map(\.name.description) == [name, "other.norm"].sorted())
    #expect(difference.identicalCount == 2)
    #expect(difference.pairing.firstPrefix == (isInFirst ? "model." : ""))
    #expect(difference.pairing.secondPrefix == (isInFirst ? "" : "model."))
    #expect(throws: ErrataError.self) { _ = try DifferencePatch(from: a, to: b) }
    let patch = try DifferencePatch(from: a, to: b, isCommon: true)
    #expect(patch.tensors.map(\.name.description) == [name])
    #expect(patch.leftOut.map(\.name) == ["other.norm"])
    #expect(patch.leftOut.map(\.reason) == [isInFirst ? "only in the base" : "not in the base"])
  }

  /// What no patch can hold is left out, listed with its reason, and recorded.
  @Test func theCommonPart() throws {
    let (base, edited) = edit(40, 50, rank: 2, seed: 92)
    func tensors(_ matrix: [Float], _ rest: StoredTensors) -> StoredTensors {
      rest.merging(["w": stored(matrix, .f32, [40, 50]), "same": stored([1], .f32, [1])]) { $1 }
    }
    let (a, b) = (
      try checkpoint(
        "a",
        tensors(
          base,
          [
            "gone": stored([1], .f32, [1]), "wide": stored([1, 2], .f32, [2]), "n": (.u8, [1], [1]),
            "grown": stored([1, 2], .f32, [2]), "nan": stored([1, 2], .f32, [2]), "nans": stored([.nan, 1], .f32, [2]),
          ])),
      try checkpoint(
        "b",
        tensors(
          edited,
          [
            "new": stored([1], .f32, [1]), "wide": stored([1, 2], .f16, [2]), "n": (.u8, [1], [2]),
            "grown": stored([1, 2, 3], .f32, [3]), "nan": stored([1, .nan], .f32, [2]),
            "nans": stored([.nan, .infinity], .f32, [2]),
          ]))
    )
    let patch = try DifferencePatch(from: a, to: b, isCommon: true)
    #expect(patch.tensors.map(\.name) == ["w"])
    let reasons = Dictionary(uniqueKeysWithValues: patch.leftOut.map { ($0.name.description, $0.reason) })
    #expect(
      reasons == [
        "gone": "only in the base", "new": "not in the base",
        "wide": "F32 [2] in the base, F16 [2] in the other, with the same values",
        "n": "U8, and a patch edits BF16, F16 and F32 only", "grown": "F32 [2] in the base, F32 [3] in the other",
        "nan": "NaN or infinity in the other", "nans": "NaN or infinity in both",
      ])
    try patch.write(
      to: directory("c.wpatch"),
      origin: PatchOrigin(created: "2026-02-01T12:00:00Z", tool: Manifest.Tool(name: "tests", version: "1")))
    let read = try PatchFile(path: directory("c.wpatch"))
    #expect(read.manifest.batches[0].leftOut.count == 7)
    let place = { directory($0 + ".safetensors") }
    try CheckpointState(path: place("a")).planApply([read], time: "2026-02-01T12:00:00Z").write(to: place("applied"))
    let applied = try Checkpoint(path: place("applied"))
    #expect(try applied.digest(of: "w") == b.digest(of: "w") && applied.digest(of: "gone") == a.digest(of: "gone"))
  }

  @Test func theRankAtATolerance() throws {
    // Singular values 3 and 4e-3, on the diagonal.
    var edited = [Float](repeating: 0, count: 9)
    (edited[0], edited[4]) = (3, 4e-3)
    let (a, b) = (
      try checkpoint("a", ["w": stored([Float](repeating: 0, count: 9), .f32, [3, 3])]),
      try checkpoint("b", ["w": stored(edited, .f32, [3, 3])])
    )
    for (tolerance, expected) in [(1e-3, 2), (2e-3, 1), (0.5, 1)] {
      let difference = try CheckpointDifference(from: a, to: b, rule: .tolerance(tolerance))
      guard case .weights(_, rank: let rank?) = difference.differences[0].change else { return }
      #expect(rank.value == expected && !rank.isLowerBound, "\(tolerance)")
    }
  }

  /// Where the search ends before the rank does, it says so.
  @Test func aRankBeyondTheLimit() throws {
    let (base, edited) = edit(530, 540, rank: 40, seed: 52)
    let difference = try CheckpointDifference(
      from: checkpoint("a", ["w": stored(base, .f32, [530, 540])]),
      to: checkpoint("b", ["w": stored(edited, .f32, [530, 540])]), rankLimit: 16)
    guard case .weights(_, rank: let rank?) = difference.differences[0].change else { return }
    #expect(rank.value == 16 && rank.isLowerBound)
  }

  /// Sought among 32 first, where the search sees early that these will not do, and then among 64.
  @Test func aRankBeyondTheFirstSearch() throws {
    let (base, edited) = edit(530, 540, rank: 40, seed: 52)
    let (a, b) = (
      try checkpoint("a", ["w": stored(base, .bf16, [530, 540])]),
      try checkpoint("b", ["w": stored(edited, .bf16, [530, 540])])
    )
    let difference = try CheckpointDifference(from: a, to: b)
    guard case .weights(let figures, rank: let rank?) = difference.differences[0].change else { return }
    #expect(rank.value == 40 && !rank.isLowerBound)
    #expect(try DifferencePatch(from: a, to: b, isCorrected: false).tensors[0].rank == 40)
    let floor = figures.roundingFloor
    #expect(NumericalRank.moreAreNeeded(than: [9 * floor, 1.1 * floor], of: figures, rule: .rounding))
    #expect(!NumericalRank.moreAreNeeded(than: [9 * floor, 0.9 * floor], of: figures, rule: .rounding))
    #expect(!NumericalRank.moreAreNeeded(than: [9 * floor, 1.1 * floor], of: figures, rule: .tolerance(0.1)))
  }

  @Test func theRangeFinderFindsTheValues() throws {
    let (base, edited) = edit(540, 700, rank: 12, seed: 53)
    let (a, b) = (
      try checkpoint("a", ["w": stored(base, .f32, [540, 700])]).tensor(named: "w"),
      try checkpoint("b", ["w": stored(edited, .f32, [540, 700])]).tensor(named: "w")
    )
    let difference = DifferenceMatrix(from: a, to: b)
    let found = try LeadingSingularVectors(of: difference, DifferenceFigures(difference), rule: .rounding, limit: 12)
    let exact = try SingularValueDecomposition(difference[0..<540])
    #expect(!found.isComplete && relativeError(found.values, Array(exact.values.prefix(12))) < 1e-10)
    let overlap = found.left.multiplied(.transposed, by: exact.left.firstColumns(12))
    #expect(abs(overlap.frobeniusNorm - 12.0.squareRoot()) < 1e-8)
  }

  // MARK: As a patch

  private func roundTrip(_ before: StoredTensors, _ after: StoredTensors, _ difference: DifferencePatch) throws {
    let tool = Manifest.Tool(name: "tests", version: "1")
    try difference.write(to: directory("d.wpatch"), origin: PatchOrigin(created: "2026-02-01T12:00:00Z", tool: tool))
    let file = try PatchFile(path: directory("d.wpatch"))
    let place = { directory($0 + ".safetensors") }
    try CheckpointState(path: place("a")).planApply([file], time: "2026-02-01T12:00:00Z").write(to: place("applied"))
    #expect(try directory.read("applied.safetensors") == directory.read("b.safetensors"))
    try CheckpointState(path: place("applied")).planRevert([file.identifier]).write(to: place("reverted"))
    #expect(try directory.read("reverted.safetensors") == directory.read("a.safetensors"))
    for name in ["applied", "reverted", "d.wpatch"] {
      for suffix in ["", ".safetensors", ".safetensors.errata"] {
        try? FileManager.default.removeItem(atPath: directory(name + suffix))
      }
    }
  }

  @Test(arguments: [DType.bf16, .f16, .f32]) func appliesBitForBit(dtype: DType) throws {
    let (base, edited) = edit(90, 120, rank: 3, seed: 54)
    let (sparse, touched) = (edit(33, 40, rank: 1, seed: 55).0, [Float](repeating: 0.5, count: 70))
    var moved = sparse
    (moved[7], moved[900]) = (-moved[7], 0)
    var zeros = [Float](repeating: -0.0, count: 12)
    zeros[3] = 0
    let before: StoredTensors = [
      "low": stored(base, dtype, [90, 120]), "few": stored(sparse, dtype, [33, 40]),
      "norm": stored(touched, dtype, [70]),
      "zeros": stored(zeros, dtype, [3, 4]), "kept": (.u8, [1], [7]),
    ]
    zeros[5] = 0
    let after: StoredTensors = [
      "low": stored(edited, dtype, [90, 120]), "few": stored(moved, dtype, [33, 40]),
      "norm": stored(touched.map { $0 * 1.125 }, dtype, [70]), "zeros": stored(zeros, dtype, [3, 4]),
      "kept": (.u8, [1], [7]),
    ]
    let (a, b) = (try checkpoint("a", before), try checkpoint("b", after))
    for (choice, limit) in [(DifferencePatch.RankChoice.smallest, 256), (.tolerance(0.01), 256), (.smallest, 0)] {
      let difference = try DifferencePatch(from: a, to: b, choice: choice, rankLimit: limit)
      #expect(difference.tensors.map(\.name) == ["few", "low", "norm", "zeros"])
      #expect(difference.tensors[2].rank == 0 && difference.tensors[2].correctedCount == 70)
      if limit == 0 { #expect(difference.tensors.allSatisfy { $0.rank == 0 && $0.factorType == nil }) }
      if choice == .smallest, limit > 0 {
        #expect(difference.tensors[1].rank == 3)
        // What the factors miss is the rounding: that of the base, and what it left of the singular vectors.
        #expect(dtype != .bf16 || difference.tensors[1].correctedCount < 90 * 120 / 3)
      }
      try roundTrip(before, after, difference)
    }
  }

  /// Without corrections a patch holds what is of low rank, and says how much of D that leaves.
  @Test(arguments: [DType.bf16, .f32]) func withoutCorrections(dtype: DType) throws {
    let (base, edited) = edit(90, 120, rank: 3, seed: 57)
    let (kept, other) = (edit(30, 40, rank: 1, seed: 58).0, edit(90, 120, rank: 2, seed: 59).1)
    let (a, b) = (
      try checkpoint("a", ["low": stored(base, dtype, [90, 120]), "norm": stored(kept, dtype, [1200])]),
      try checkpoint(
        "b", ["low": stored(edited, dtype, [90, 120]), "norm": stored(kept.map { $0 * 1.5 }, dtype, [1200])])
    )
    let tool = Manifest.Tool(name: "tests", version: "1")
    func write(_ difference: DifferencePatch, _ name: String) throws -> PatchFile {
      try difference.write(to: directory(name), origin: PatchOrigin(created: "2026-02-01T12:00:00Z", tool: tool))
      return try PatchFile(path: directory(name))
    }
    let difference = try DifferencePatch(from: a, to: b, isCorrected: false)
    let left = "its shape, [1200], is no matrix's, which low rank is for"
    #expect(difference.leftOut.map(\.name) == ["norm"] && difference.leftOut.map(\.reason) == [left])
    #expect(difference.tensors.map(\.name) == ["low", "norm"] && difference.tensors.map(\.rank) == [3, 0])
    #expect(difference.tensors.allSatisfy { $0.correctedCount == 0 } && difference.tensors[1].missed == 1)
    let missed = try #require(difference.tensors[0].missed)
    #expect(missed > 0 && missed < (dtype == .bf16 ? 0.02 : 1e-5))
    let file = try write(difference, "low.wpatch")
    #expect(file.manifest.result == nil && file.manifest.batches[0].method.name == "low_rank_difference")
    #expect(Array(file.manifest.base.tensors.keys) == ["low"])
    #expect(file.manifest.batches[0].tensors["low"]?.deltaError == missed)

    // The share that is reported is the share that is left, up to the rounding of the result.
    let place = { directory($0 + ".safetensors") }
    try CheckpointState(path: place("a")).planApply([file], time: "2026-02-01T12:00:00Z").write(to: place("applied"))
    let applied = try Checkpoint(path: place("applied"))
    let rest = DifferenceFigures(try DifferenceMatrix(from: applied.tensor(named: "low"), to: b.tensor(named: "low")))
    #expect(rest.norm / difference.tensors[0].figures.norm < (dtype == .bf16 ? 0.03 : 2e-5))
    #expect(try applied.digest(of: "norm") == a.digest(of: "norm"))

    // A tolerance says how much may be left.
    let coarse = try DifferencePatch(from: a, to: b, choice: .tolerance(0.7), isCorrected: false)
    let coarseRest = try #require(coarse.tensors[0].missed)
    #expect(coarse.tensors[0].rank < 3 && coarseRest <= 0.7 && coarseRest > 0.1)

    // It goes with another difference of the same tensor; one with corrections does not.
    let c = try checkpoint("c", ["low": stored(other, dtype, [90, 120]), "norm": stored(kept, dtype, [1200])])
    let free = try write(DifferencePatch(from: a, to: c, isCorrected: false), "free.wpatch")
    let exact = try write(DifferencePatch(from: a, to: c), "exact.wpatch")
    let state = try CheckpointState(path: place("applied"))
    #expect(try state.planApply([free], time: "2026-02-01T12:00:00Z").applied.count == 1)
    #expect(try PatchStack([file, free]).tensorNames == ["low"])
    let refusal =
      "low: is corrected by \(exact.path) and changed by \(file.path) too, but a correction fits only the sum "
      + "that it was made for; take one of them, or make a difference of the finished checkpoint, or make the "
      + "first again without correction"
    #expect(throws: ErrataError(.conflict, refusal)) { _ = try PatchStack([file, exact]) }
    #expect(throws: (any Error).self) { try state.planApply([exact], time: "2026-02-01T12:00:00Z") }

    // Factors with corrections stay as they are.
    let fixed = ErrataError(
      .general,
      "\(exact.path): batch 0 has corrections, which fit its factors as they are; make the difference again with "
        + "a rank, with a tolerance or without correction, or compress alone")
    #expect(throws: fixed) { _ = try exact.compacted(to: .rank(1), in: .weights) }
    #expect(throws: fixed) { _ = try exact.stored(as: .fixed(left: .i8, right: .i8)) }
    #expect(try file.compacted(to: .rank(1), in: .weights).batches[0].tensors[0].rank == 1)
  }

  @Test func withoutCorrectionsSomethingMustBeLeft() throws {
    let a = try checkpoint("a", ["w": stored([1, 2], .bf16, [2])])
    let (b, c) = (
      try checkpoint("b", ["w": stored([1, 3], .bf16, [2])]), try checkpoint("c", ["w": stored([1, .nan], .bf16, [2])])
    )
    let (pathA, pathB, pathC) = (
      directory("a.safetensors"), directory("b.safetensors"), directory("c.safetensors")
    )
    #expect(
      throws: ErrataError(
        .general,
        "\(pathA) and \(pathB): no matrix has a difference beyond rounding: nothing is left without a correction; "
          + "keep the correction")
    ) { _ = try DifferencePatch(from: a, to: b, isCorrected: false) }
    #expect(
      throws: ErrataError(
        .general,
        "\(pathC): w has NaN or infinity in it, and no patch can hold that; leave it out")
    ) { _ = try DifferencePatch(from: a, to: c, isCorrected: false) }
    #expect(
      throws: ErrataError(
        .general,
        "\(pathC): w has NaN or infinity in it, and no patch can hold that; leave it out")
    ) { _ = try DifferencePatch(from: c, to: a) }
  }

  /// -0 that becomes +0 takes neither terms nor steps, but it is a difference.
  @Test func onlyTheSignOfZero() throws {
    let (before, after): (StoredTensors, StoredTensors) = (
      ["w": stored([-0.0, 1], .bf16, [2])], ["w": stored([0, 1], .bf16, [2])]
    )
    let difference = try DifferencePatch(from: checkpoint("a", before), to: checkpoint("b", after))
    #expect(difference.tensors[0].correctedCount == 0)
    try roundTrip(before, after, difference)
  }

  /// An edit of low rank is told from noise in a matrix that is decomposed at random, and its patch is small.
  @Test func aLargeEditIsSmall() throws {
    let (base, edited) = edit(600, 800, rank: 4, seed: 56)
    let (before, after): (StoredTensors, StoredTensors) = (
      ["w": stored(base, .bf16, [600, 800])], ["w": stored(edited, .bf16, [600, 800])]
    )
    let difference = try DifferencePatch(from: checkpoint("a", before), to: checkpoint("b", after))
    #expect(difference.tensors[0].rank == 4 && difference.tensors[0].factorType == .f16)
    let tool = Manifest.Tool(name: "tests", version: "1")
    try difference.write(to: directory("x.wpatch"), origin: PatchOrigin(created: "2026-02-01T12:00:00Z", tool: tool))
    let size = try directory.read("x.wpatch").count
    #expect(size < before["w"]!.bytes.count / 8)
    try roundTrip(before, after, difference)
  }

  @Test func saysWhatAPatchCannotHold() throws {
    let a = try checkpoint("a", ["w": stored([1, 2], .bf16, [2]), "n": (.i64, [1], [1, 0, 0, 0, 0, 0, 0, 0])])
    let (pathA, pathB) = (directory("a.safetensors"), directory("b.safetensors"))
    func expect(_ tensors: StoredTensors, _ category: ErrataError.Kind, _ message: String) throws {
      let b = try checkpoint("b", tensors)
      #expect(throws: ErrataError(category, message)) { _ = try DifferencePatch(from: a, to: b) }
    }
    let n: StoredTensors.Value = (.i64, [1], [1, 0, 0, 0, 0, 0, 0, 0])
    try expect(
      ["w": stored([1, 2], .bf16, [2]), "n": n], .general,
      "\(pathA) and \(pathB): have the same tensors: there is nothing for a patch to do")
    func refusal(_ list: String) -> String {
      "\(pathA) and \(pathB): no patch can hold how these differ: \(list); make a patch of the other tensors, if "
        + "they differ"
    }
    try expect(["w": stored([1, 2], .bf16, [2])], .general, refusal("n (only in the base)"))
    try expect(["w": stored([1, 2], .bf16, [2]), "n": n, "x": n], .general, refusal("x (not in the base)"))
    try expect(
      ["w": stored([1, 2], .f16, [1, 2]), "n": n], .general,
      refusal("w (BF16 [2] in the base, F16 [1, 2] in the other)"))
    try expect(
      ["w": stored([1, 2], .bf16, [2]), "n": (.i64, [1], [2, 0, 0, 0, 0, 0, 0, 0])], .general,
      refusal("n (I64, and a patch edits BF16, F16 and F32 only)"))
    try expect(
      ["w": stored([1, 2], .f32, [2]), "x": n, "y": n, "z": n], .general,
      refusal(
        "n (only in the base), w (BF16 [2] in the base, F32 [2] in the other, with the same values), x (not in the "
          + "base) and 2 more"))
    try expect(
      ["w": stored([1, .infinity], .bf16, [2]), "n": n], .general,
      "\(pathB): w has NaN or infinity in it, and no patch can hold that; leave it out")
  }
}
