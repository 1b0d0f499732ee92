import LinearAlgebra
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import PatchAlgebra

@Suite struct ResolveTests {
  @Test(arguments: [(0.0, 2.0), (2, 0), (0.01, 1000)])
  func aSystemIsSolvedAgainAsFromItsKeys(lambda: Double, other: Double) throws {
    let edit = try DirectEdit()
    let all = Array(0..<6)
    let (left, right, gram) = try edit.solved(lambda: lambda, facts: all)
    let again = try GramSystem(left: left, gram: gram, slack: .same(lambda)).left(slack: .same(other))
    let expected = try edit.delta(lambda: other, facts: all)
    #expect(relativeError(again.multiplied(by: right).elements, expected.elements) < 1e-9)
  }

  @Test func aSystemIsSolvedWithoutSomeFactsAsFromTheirKeys() throws {
    let edit = try DirectEdit()
    let (left, right, gram) = try edit.solved(lambda: 0.5, facts: Array(0..<6))
    let kept = [0, 2, 5]
    let again = try GramSystem(left: left, gram: gram, slack: .same(0.5)).keeping(kept).left(slack: .same(0.5))
    let expected = try edit.delta(lambda: 0.5, facts: kept)
    #expect(relativeError(again.multiplied(by: right.rows(at: kept)).elements, expected.elements) < 1e-9)
  }

  @Test(arguments: [DType.f16, .f32], [false, true])
  func aPatchIsSolvedAgainWithinWhatItsTypesAllow(dtype: DType, carriesKeys: Bool) throws {
    let directory = try TemporaryDirectory()
    let edit = try DirectEdit()
    let batch = EditBatch(tensors: [try edit.factors(lambda: 0.05, left: dtype, keys: carriesKeys)])
    let file = try patchFile([batch], lambda: 0.05, in: directory)
    let patch = try file.resolved(.lambda(0.5)).readBack(directory)
    let factors = patch.batches[0].tensors[0]
    let all = Array(0..<6)
    let found = try #require(factors.leftValues()).widened()
      .multiplied(by: try #require(factors.rightValues()).widened())
    let wanted = try edit.delta(lambda: 0.5, facts: all)
    #expect(relativeError(found.multiplied(by: edit.keys).elements, wanted.multiplied(by: edit.keys).elements) < 3e-3)
    #expect(factors.right == batch.tensors[0].right && factors.keys == batch.tensors[0].keys)

    let figures = try #require(patch.manifest.batches[0].tensors["w"])
    #expect(
      figures.preservation == factors.preservation(using: .blas) && figures.deltaNorm == factors.deltaNorm(using: .blas)
    )
    #expect(figures.memorization == factors.worstMemorization(slack: .same(0.5), using: .blas))
    #expect(try #require(figures.storageError) < 1e-3)
  }

  @Test func theManifestSaysWhatHoldsAndWhatWasDone() throws {
    let directory = try TemporaryDirectory()
    let batch = EditBatch(tensors: [try DirectEdit().factors(lambda: 0.5, left: .f32, keys: false)])
    let file = try patchFile([batch], lambda: 0.5, in: directory)
    let manifest = try file.resolved(.memit(weight: 8)).readBack(directory, author: "someone else").manifest
    let method = manifest.batches[0].method
    #expect(method.name == "memit" && method.lambda == 8 && method.secondMomentWeight == 8 && method.alpha == nil)
    #expect(
      manifest.batches[0].facts[0].outcome == Manifest.Outcome(steps: 3, loss: 0.5, probabilityBefore: 0.25))
    #expect(manifest.result == nil && manifest.created == "2026-02-01T12:00:00Z" && manifest.author == "somebody")
    #expect(
      manifest.derivation
        == Manifest.Derivation(
          patch: file.identifier, change: "solved again: memit, w 8.0", author: "someone else"))
  }

  @Test func slackFollowsTheMethod() {
    #expect(Slack.emmet(alpha: 0.1, weight: 5).lambda(factCount: 1) == 0)
    #expect(Slack.emmet(alpha: 0.5, weight: 5).lambda(factCount: 2) == 2.5)
    #expect(Slack.memit(weight: 5).lambda(factCount: 1) == 5)
    #expect(Slack.lambda(3).lambda(factCount: 1) == 3)
    var method = Manifest.Method(name: "emmet", lambda: 1, alpha: 0.1, secondMomentWeight: 10, layers: [0])
    Slack.lambda(3).update(&method, factCount: 2)
    #expect(method == Manifest.Method(name: "emmet", lambda: 3, layers: [0]))
  }

  @Test func oneBatchCanBeSolvedAgainAlone() throws {
    let directory = try TemporaryDirectory()
    let batches = try (1...2).map {
      EditBatch(tensors: [try DirectEdit(seed: $0).factors(lambda: 0.5, left: .f32, keys: false)])
    }
    let file = try patchFile(batches, lambda: 0.5, in: directory)
    let patch = try file.resolved(.lambda(4), batch: 1).readBack(directory)
    #expect(patch.manifest.batches[0].digest == file.patch.manifest.batches[0].digest)
    #expect(patch.manifest.batches.map(\.method.lambda) == [0.5, 4])
    #expect(patch.manifest.derivation?.change == "batch 1 solved again: lambda 4.0")
  }

  /// However large the slack, the patch says truly that its facts hold nothing of what they ask for; or it is not made.
  @Test func anExtremeSlack() throws {
    let directory = try TemporaryDirectory()
    let file = try patchFile(
      [EditBatch(tensors: [DirectEdit().factors(lambda: 0.5, left: .f32, keys: false)])], lambda: 0.5, in: directory)
    for lambda in [1e10, 1e30, 1e38] {
      let solved = try file.resolved(.lambda(lambda))
      let shortfalls = try #require(solved.batches[0].tensors[0].memorization(slack: .same(lambda))).map { $0 ?? 0 }
      #expect(shortfalls.allSatisfy { abs($0 - 1) < 1e-3 }, "\(lambda)")
      #expect(abs(try #require(solved.manifest.batches[0].tensors["w"]?.memorization) - 1) < 1e-3)
    }
    for lambda in [1e46, 1e60, 1e300] {
      #expect(
        throws: ErrataError(
          .general,
          "the factors have values that are too small for float32: the patch would do nothing, and could not be "
            + "solved again; use a smaller lambda")
      ) { _ = try file.resolved(.lambda(lambda)) }
    }
  }

  @Test func theTradeOffIsThatOfPatchesSolvedAgain() throws {
    let directory = try TemporaryDirectory()
    let tensors = try ["v", "w"].map {
      try DirectEdit().factors(lambda: 0.5, ByteString($0), left: .f32, keys: false)
    }
    let file = try patchFile([EditBatch(tensors: tensors)], lambda: 0.5, in: directory)
    let tradeOff = try TradeOff(of: file, lambdas: [0, 0.5, 7])
    #expect(tradeOff.curves.map(\.tensor) == ["v", "w"] && tradeOff.total.map(\.lambda) == [0, 0.5, 7])
    let solved = try file.resolved(.lambda(7)).batches[0].tensors
    let point = tradeOff.total[2]
    let preservation = solved.compactMap { $0.preservation() }.reduce(0, +)
    #expect(abs(point.preservation - preservation) < 1e-3 * preservation)
    let worst = try #require(solved[0].worstMemorization(slack: .same(7)))
    #expect(abs(point.worstShortfall - worst) < 1e-3 && point.shortfalls.count == 12)
    #expect(tradeOff.total[0].worstShortfall == 0 && point.meanShortfall > tradeOff.total[1].meanShortfall)

    let usual = try TradeOff(of: file).total.map(\.lambda)
    #expect(usual.first == 0 && usual.contains(0.5) && usual == usual.sorted() && usual.count == 9)
  }
}
