import LinearAlgebra
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import CheckpointLedger
@testable import PatchAlgebra

extension LowRankFactors {
  /// D, multiplied out.
  fileprivate var dense: Matrix<Double> { leftValues()!.widened().multiplied(by: rightValues()!.widened()) }
}

@Suite struct CompactionTests {
  private static let lambda = 0.05
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// A patch of one edit in float32, and the edit.
  private func example(
    seed: UInt64, facts: Int = 6, names: [ByteString] = ["w"]
  ) throws -> (edit: DirectEdit, file: PatchFile) {
    let edit = try DirectEdit(factCount: facts, seed: seed)
    // The second tensor's edit has other residuals.
    let tensors = try names.enumerated().map { position, name in
      let edit = position == 0 ? edit : try DirectEdit(factCount: facts, seed: seed + 1000)
      let factors = try edit.factors(lambda: Self.lambda, name, left: .f32, keys: false)
      let right = try #require(factors.rightValues())
      return LowRankFactors(
        name: name, isTransposed: false, left: factors.left,
        right: StoredFactor(right, dtype: .f32, facts: .rows), gram: factors.gram)
    }
    return (edit, try patchFile([EditBatch(tensors: tensors)], lambda: Self.lambda, in: directory))
  }

  /// |X| in a norm, from C and the keys themselves. `change` is D, which weights the facts.
  private func size(
    _ matrix: Matrix<Double>, _ norm: CompactionNorm, of change: Matrix<Double>, _ edit: DirectEdit
  ) -> Double {
    switch norm {
    case .weights: return matrix.frobeniusNorm
    case .text:
      let product = matrix.multiplied(by: edit.secondMoment)
      return zip(product.elements, matrix.elements).reduce(0) { $0 + $1.0 * $1.1 }.squareRoot()
    case .facts:
      let wanted = change.multiplied(by: edit.keys).columnNorms()
      let found = matrix.multiplied(by: edit.keys).columnNorms()
      return zip(found, wanted).reduce(0) { $0 + ($1.0 / $1.1) * ($1.0 / $1.1) }.squareRoot()
    }
  }

  /// The change in the square root of the norm, whose Frobenius norm it is: an own way to the best error of every rank.
  private func singularValues(_ change: Matrix<Double>, _ norm: CompactionNorm, _ edit: DirectEdit) throws -> [Double] {
    switch norm {
    case .weights: return try SingularValueDecomposition.values(of: change)
    case .text:
      // D C D^T = (D Q) diag(s) (D Q)^T with the eigenvectors Q and eigenvalues s of C.
      let moment = try SingularValueDecomposition(edit.secondMoment)
      let product = change.multiplied(by: moment.left)
      let scaled = product.scalingColumns(by: moment.values.map { $0.squareRoot() })
      return try SingularValueDecomposition.values(of: scaled)
    case .facts:
      let atKeys = change.multiplied(by: edit.keys)
      return try SingularValueDecomposition.values(of: atKeys.scalingColumns(by: atKeys.columnNorms().map { 1 / $0 }))
    }
  }

  @Test(arguments: CompactionNorm.allCases, [1, 2, 3, 4, 5] as [UInt64])
  func keepsToTheToleranceWithTheFewestTerms(norm: CompactionNorm, seed: UInt64) throws {
    let (edit, file) = try example(seed: seed)
    let change = file.patch.batches[0].tensors[0].dense
    let values = try singularValues(change, norm, edit)
    let total = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    for tolerance in [0.2, 0.35, 0.5, 0.7, 0.9] {
      let best = (1...6).map { rank in
        values.dropFirst(rank).reduce(0) { $0 + $1 * $1 }.squareRoot() / total
      }
      let needed = best.firstIndex { $0 <= tolerance }! + 1
      guard needed < 6 else {
        #expect(throws: ErrataError.self) { _ = try file.compacted(to: .tolerance(tolerance), in: norm) }
        continue
      }
      let patch = try file.compacted(to: .tolerance(tolerance), in: norm, as: .fixed(left: .f32, right: .f32))
        .readBack(directory)
      let factors = patch.batches[0].tensors[0]
      #expect(factors.rank == needed && factors.gram == nil)
      let rest = factors.dense.subtracting(change)
      let error = size(rest, norm, of: change, edit) / size(change, norm, of: change, edit)
      #expect(error <= tolerance + 1e-6)
      // No change of that rank is nearer.
      #expect(abs(error - best[needed - 1]) < 1e-5)

      let figures = try #require(patch.manifest.batches[0].tensors["w"])
      let compaction = try #require(figures.compaction)
      #expect(compaction.norm == norm.rawValue && compaction.tolerance == tolerance && compaction.terms == 6)
      for (norm, recorded) in [
        (CompactionNorm.weights, compaction.weightsError), (.text, compaction.textError),
        (.facts, compaction.factsError),
      ] {
        let error = size(rest, norm, of: change, edit) / size(change, norm, of: change, edit)
        #expect(abs(try #require(recorded) - error) < 1e-3, "\(norm): \(recorded!) \(error)")
      }
      let perFact = zip(
        rest.multiplied(by: edit.keys).columnNorms(), change.multiplied(by: edit.keys).columnNorms()
      ).map { $0 / $1 }
      let worst = try #require(compaction.worstFactError)
      #expect(abs(worst - perFact.max()!) < 1e-3, "\(worst) \(perFact.max()!)")
      #expect(abs(try #require(figures.deltaError) - rest.frobeniusNorm / change.frobeniusNorm) < 1e-9)
      let short = factors.dense.multiplied(by: edit.keys).subtracting(edit.residuals).columnNorms()
      let shortfall = zip(short, edit.residuals.columnNorms()).map { $0 / $1 }.max()!
      #expect(abs(try #require(figures.memorization) - shortfall) < 1e-3)
      let preservation = size(factors.dense, .text, of: change, edit)
      #expect(relativeError([try #require(figures.preservation)], [preservation * preservation]) < 1e-3)
    }
  }

  @Test func aProjectionDisturbsTextNoMoreThanTheChange() throws {
    let (edit, file) = try example(seed: 9)
    let change = file.patch.batches[0].tensors[0].dense
    for norm in CompactionNorm.allCases {
      var last = 0.0
      for rank in 1...5 {
        let compacted = try file.compacted(to: .rank(rank), in: norm).batches[0].tensors[0].dense
        let disturbance = size(compacted, .text, of: change, edit)
        #expect(disturbance > last && disturbance < size(change, .text, of: change, edit) * 1.001)
        last = disturbance
      }
    }
  }

  @Test func theManifestSaysWhatHoldsAndWhatWasDone() throws {
    let (_, file) = try example(seed: 1)
    let patch = try file.compacted(to: .rank(4), in: .facts, as: .fixed(left: .f16, right: .i8))
      .readBack(directory, author: "someone")
    let batch = patch.manifest.batches[0]
    #expect(batch.terms == .components && batch.facts.count == 6 && batch.method.lambda == Self.lambda)
    #expect(batch.facts.allSatisfy { $0.outcome?.probabilityAfter == nil && $0.outcome?.probabilityBefore == 0.25 })
    #expect(patch.batches[0].tensors[0].storage == "F16 I8" && patch.batches[0].factCount == 4)
    #expect(
      patch.manifest.derivation
        == Manifest.Derivation(
          patch: file.identifier, change: "compacted to rank 4 by facts, stored as f16,i8", author: "someone"))
    #expect(batch.tensors["w"]?.compaction?.tolerance == nil && batch.tensors["w"]?.storageError == nil)
    #expect(patch.manifest.result == nil)
  }

  @Test func everyTensorOfABatchHasTheLargestRankThatOneNeeds() throws {
    let (_, file) = try example(seed: 2, names: ["v", "w"])
    let ranks = try file.patch.batches[0].tensors.map { factors in
      let values = try SingularValueDecomposition.values(of: factors.dense)
      let total = values.reduce(0) { $0 + $1 * $1 }
      return (1...6).first { values.dropFirst($0).reduce(0) { $0 + $1 * $1 } <= 0.25 * total }!
    }
    let compacted = try file.compacted(to: .tolerance(0.5), in: .weights)
    #expect(compacted.batches[0].tensors.map(\.rank) == [ranks.max()!, ranks.max()!])
    for (factors, before) in zip(compacted.batches[0].tensors, file.patch.batches[0].tensors) {
      #expect(factors.relativeDifference(from: before) <= 0.501)
    }
  }

  @Test func aBatchThatNeedsAllItsTermsStaysAsItIs() throws {
    let batches = try [1, 6].map { count in
      EditBatch(
        tensors: [try DirectEdit(factCount: count).factors(lambda: Self.lambda, left: .f32, keys: false)])
    }
    let file = try patchFile(batches, lambda: Self.lambda, in: directory)
    let patch = try file.compacted(to: .rank(3), in: .facts).readBack(directory)
    #expect(patch.manifest.batches.map(\.terms) == [.facts, .components])
    #expect(patch.manifest.batches[0].digest == file.patch.manifest.batches[0].digest)
    #expect(patch.batches.map(\.factCount) == [1, 3])
    // What was compacted can be compacted again, but only by the weights.
    let again = try PatchFile(path: directory("to.wpatch"))
    #expect(try again.compacted(to: .rank(2), in: .weights).batches.map(\.factCount) == [1, 2])
    let narrower = try again.compacted(to: .rank(2), in: .weights, as: .fixed(left: .i8, right: .i8))
    #expect(narrower.batches.map { $0.tensors[0].storage } == ["I8 I8", "I8 I8"])
  }

  @Test func automaticTypesCostATenthOfTheToleranceAtMost() throws {
    let (_, file) = try example(seed: 3)
    let compacted = try file.compacted(to: .rank(5), in: .weights)
    #expect(compacted.batches[0].tensors[0].storage == "F16 F16")
    // A batch of one fact that is there twice has rank one, whatever the tolerance.
    let tensor = file.patch.batches[0].tensors[0]
    let doubled = LowRankFactors(
      name: "w", isTransposed: false,
      left: StoredFactor(
        tensor.leftValues()!.transposed().rows(at: [0, 0]).transposed(), dtype: .f32, facts: .columns),
      right: StoredFactor(tensor.rightValues()!.rows(at: [0, 0]), dtype: .f32, facts: .rows))
    let file2 = try patchFile([EditBatch(tensors: [doubled])], lambda: 1, in: directory)
    let exact = try file2.compacted(to: .tolerance(1e-5), in: .weights)
    #expect(exact.batches[0].tensors[0].rank == 1 && exact.batches[0].tensors[0].storage == "F32 F32")
    #expect(exact.batches[0].tensors[0].relativeDifference(from: doubled) < 1e-6)
  }

  @Test func aChangeOfNothingKeepsOneTerm() throws {
    let zero = LowRankFactors(
      name: "w", isTransposed: false,
      left: StoredFactor(Matrix(rows: 10, columns: 2), dtype: .f32, facts: .columns),
      right: StoredFactor(Matrix(rows: 2, columns: 40), dtype: .f32, facts: .rows), gram: Matrix(rows: 2, columns: 2))
    let file = try patchFile([EditBatch(tensors: [zero])], lambda: 0, in: directory)
    for norm in CompactionNorm.allCases {
      let compacted = try file.compacted(to: .tolerance(0.01), in: norm).readBack(directory)
      #expect(compacted.batches[0].factCount == 1)
      #expect(compacted.manifest.batches[0].tensors["w"]?.deltaError == 0)
    }
  }

  @Test func moreFactsThanOutputsAreCutToWhatOutputsThereAre() throws {
    let (edit, file) = try example(seed: 4, facts: 14)
    let change = file.patch.batches[0].tensors[0].dense
    let factors = try file.compacted(to: .tolerance(1e-4), in: .facts).readBack(directory).batches[0].tensors[0]
    #expect(factors.rank == DirectEdit.outputSize)
    #expect(size(factors.dense.subtracting(change), .facts, of: change, edit) < 2e-3)
    // More terms than there are singular vectors: the rest is zero.
    #expect(try file.compacted(to: .rank(12), in: .weights).readBack(directory).batches[0].factCount == 12)
  }

  @Test func aSamplePatchIsCompactedAndAppliesToItsBase() throws {
    let file = try PatchFile(path: DropTests.samples + "/twenty-facts.wpatch")
    var derived = try file.compacted(to: .tolerance(0.3), in: .facts)
    try derived.recordResult(onBase: LockedCheckpoint(path: DropTests.samples + "/model"))
    let patch = try derived.readBack(directory)
    #expect(patch.manifest.batches[0].facts.count == 20 && patch.batches[0].factCount < 20)
    // Writing compares with the digests that the patch records.
    let plan = try CheckpointState(path: DropTests.samples + "/model")
      .planApply([PatchFile(path: directory("to.wpatch"))], time: "2026-02-01T12:00:00Z")
    _ = try plan.write(to: directory("edited"))
  }
}
