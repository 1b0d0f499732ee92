import LinearAlgebra
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import PatchAlgebra

/// What a ridge has in G is no disturbance of ordinary text: tr(D C D^T), with C as it was counted.
@Suite struct RidgeTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static let lambda = 0.05

  /// A patch of an edit with a ridge, in units of C's mean diagonal.
  private func example(share: Double, recordsRidge: Bool = true) throws -> (edit: DirectEdit, file: PatchFile) {
    let plain = try DirectEdit()
    let mean = (0..<DirectEdit.inputSize).reduce(0) { $0 + plain.secondMoment[$1, $1] } / Double(DirectEdit.inputSize)
    let ridge = share * mean
    let edit = try DirectEdit(ridge: ridge)
    let factors = try edit.factors(lambda: Self.lambda, left: .f32, right: .f32, keys: true)
    let plainFile = try patchFile([EditBatch(tensors: [factors])], lambda: Self.lambda, in: directory)
    var manifest = plainFile.manifest
    manifest.batches[0].method.hyperparameters.ridge = share
    manifest.batches[0].tensors["w"] = Manifest.TensorFigures(layer: 0, ridge: recordsRidge ? ridge : nil)
    try PatchWriter.write(manifest, batches: plainFile.patch.batches, to: directory("ridge.wpatch"))
    return (edit, try PatchFile(path: directory("ridge.wpatch")))
  }

  /// tr(D C D^T) from D and C.
  private func disturbance(_ factors: LowRankFactors, _ edit: DirectEdit) -> Double {
    let change = factors.leftValues()!.widened().multiplied(by: factors.rightValues()!.widened())
    return change.multiplied(by: edit.secondMoment).elementwiseDot(change)
  }

  @Test(arguments: [0.1, 1]) func everyFigureLeavesTheRidgeOut(share: Double) throws {
    let (edit, file) = try example(share: share)
    let factors = file.patch.batches[0].tensors[0]
    let wanted = disturbance(factors, edit)
    let ridge = try #require(file.manifest.batches[0].ridge(of: "w"))
    #expect(abs(try #require(factors.preservation(ridge: ridge)) / wanted - 1) < 1e-5)
    #expect(try #require(factors.preservation()) / wanted > 1 + share / 10)

    let tradeOff = try TradeOff(of: file, lambdas: [Self.lambda, 2])
    #expect(!tradeOff.isUpperBound && abs(tradeOff.total[0].preservation / wanted - 1) < 1e-5)
    let solved = try file.resolved(.lambda(2))
    let again = disturbance(solved.batches[0].tensors[0], edit)
    #expect(abs(tradeOff.total[1].preservation / again - 1) < 1e-2)
    let figures = try #require(solved.manifest.batches[0].tensors["w"])
    #expect(abs(try #require(figures.preservation) / again - 1) < 1e-5 && figures.ridge == ridge)

    let narrow = try file.stored(as: .fixed(left: .f16, right: .f16))
    let stored = disturbance(narrow.batches[0].tensors[0], edit)
    #expect(abs(try #require(narrow.manifest.batches[0].tensors["w"]?.preservation) / stored - 1) < 1e-3)

    let dropped = try file.dropping(["Subject 1"])
    let rest = disturbance(dropped.batches[0].tensors[0], edit)
    #expect(abs(try #require(dropped.manifest.batches[0].tensors["w"]?.preservation) / rest - 1) < 1e-5)
  }

  /// The nearest change of smaller rank by what ordinary text is disturbed.
  @Test(arguments: [0.1, 1]) func theNormOfTextLeavesTheRidgeOut(share: Double) throws {
    let (edit, file) = try example(share: share)
    let compacted = try file.compacted(to: .rank(3), in: .text, as: .fixed(left: .f32, right: .f32))
    let (before, after) = (file.patch.batches[0].tensors[0], compacted.batches[0].tensors[0])
    func dense(_ factors: LowRankFactors) -> Matrix<Double> {
      factors.leftValues()!.widened().multiplied(by: factors.rightValues()!.widened())
    }
    func size(_ change: Matrix<Double>) -> Double {
      change.multiplied(by: edit.secondMoment).elementwiseDot(change).squareRoot()
    }
    let error = size(dense(after).subtracting(dense(before))) / size(dense(before))
    let figures = try #require(compacted.manifest.batches[0].tensors["w"])
    #expect(abs(try #require(figures.compaction?.textError) - error) < 1e-4)
    #expect(abs(try #require(figures.preservation) / disturbance(after, edit) - 1) < 1e-4)
    // The best that three terms can do: what lies beyond the third singular value of D C^1/2.
    let moment = try SingularValueDecomposition(edit.secondMoment)
    let values = try SingularValueDecomposition.values(
      of: dense(before).multiplied(by: moment.left).scalingColumns(by: moment.values.map { $0.squareRoot() }))
    let squares = values.map { $0 * $0 }
    let best = (squares[3...].reduce(0, +) / squares.reduce(0, +)).squareRoot()
    #expect(abs(error - best) < 1e-4)
  }

  /// A patch that records the share only: what it says is an upper bound, and the norm of text is not known.
  @Test func withoutTheRidgeItIsAtMost() throws {
    let (edit, file) = try example(share: 1, recordsRidge: false)
    #expect(file.manifest.batches[0].ridge(of: "w") == nil)
    let tradeOff = try TradeOff(of: file, lambdas: [Self.lambda])
    #expect(tradeOff.isUpperBound)
    #expect(tradeOff.total[0].preservation > 1.2 * disturbance(file.patch.batches[0].tensors[0], edit))
    #expect(
      throws: ErrataError(
        .general,
        "\(file.path): batch 0 records its ridge as a share only, so that what its change of w does to ordinary "
          + "text is not known; use the norm of facts or weights, or make the patch again")
    ) { _ = try file.compacted(to: .rank(3), in: .text) }
    let byFacts = try file.compacted(to: .rank(3), in: .facts)
    #expect(byFacts.manifest.batches[0].tensors["w"]?.compaction?.textError == nil)
  }

  @Test func theRidgeOfAFileIsReadFromItsDiagonal() throws {
    let fixture = try StackFixture()
    let statistics = try fixture.statistics()
    var triangle = try statistics.triangle(layer: 0)
    let before = triangle[3, 3]
    triangle.addRidge(0.25)
    #expect(abs(try statistics.ridge(0.25, layer: 0) - (triangle[3, 3] - before)) < 1e-9)
    #expect(try statistics.ridge(0, layer: 0) == 0)
  }

  /// A lambda or a ridge that is not that of the factors ends in a line, not in a trap.
  @Test func figuresThatLie() throws {
    let (_, file) = try example(share: 1)
    var manifest = file.manifest
    manifest.batches[0].tensors["w"]?.ridge = 1e300
    try PatchWriter.write(manifest, batches: file.patch.batches, to: directory("lie.wpatch"))
    let lie = try PatchFile(path: directory("lie.wpatch"))
    #expect(
      throws: ErrataError(
        .damagedInput,
        "\(lie.path): the ridge of batch 0 (w) is larger than its Gram matrix allows: it is not the one that its "
          + "factors were made with")
    ) { _ = try TradeOff(of: lie) }
    manifest = file.manifest
    manifest.batches[0].method.lambda = 1e308
    try PatchWriter.write(manifest, batches: file.patch.batches, to: directory("large.wpatch"))
    let large = try PatchFile(path: directory("large.wpatch"))
    // Either there is a residual of that size, or it says that there is none.
    do { _ = try TradeOff(of: large) } catch let error as ErrataError {
      #expect(error.kind == .damagedInput && error.message.contains("are not finite"))
    }
  }
}
