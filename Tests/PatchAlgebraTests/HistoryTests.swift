import LinearAlgebra
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import PatchAlgebra

/// Batches that hold the keys of those before them (Spec: the metric), in files.
@Suite struct HistoryTests {
  private static let all = Array(0..<6)
  private static let lambda = StackFixture.lambda

  let fixture: StackFixture

  init() throws { fixture = try StackFixture() }

  /// Facts 0 to 3, and on top of them 4 and 5 with the keys of the first ones held.
  ///
  /// - Parameter mu: how firmly.
  private func sequence(mu: Double = lambda, keys: (Bool, Bool) = (true, true)) throws -> [PatchFile] {
    let edit = fixture.edit
    let first = try fixture.patch("first", [0, 1, 2, 3], keys: keys.0)
    let factors = first.patch.batches[0].tensors[0]
    let done = factors.leftValues()!.widened().multiplied(by: factors.rightValues()!.widened())
    let (held, own) = (edit.keys([0, 1, 2, 3]), edit.keys([4, 5]))
    var system = edit.secondMoment
    let outer = held.multiplied(by: held, .transposed)
    for row in 0..<system.rows {
      for column in 0..<system.columns { system[row, column] += outer[row, column] / mu }
    }
    let right = try Cholesky(system).solve(own).transposed()
    let gram = right.multiplied(by: own)
    let residuals = edit.residuals.transposed().rows(at: [4, 5])
      .subtracting(done.multiplied(by: own).transposed())
    let left = try GramSystem(gram: gram, residuals: residuals).left(slack: .same(Self.lambda))
    let second = LowRankFactors(
      name: "w", isTransposed: false, left: StoredFactor(left.narrowed(), dtype: .f32, facts: .columns),
      right: StoredFactor(right.narrowed(), dtype: .f16, facts: .rows), gram: gram,
      keys: keys.1 ? StoredFactor(own.transposed().narrowed(), dtype: .f32, facts: .rows) : nil,
      heldProduct: right.multiplied(by: held))
    let digest = first.manifest.batches[0].digest
    let parent = Manifest.Parent(patch: first.identifier, batches: [digest])
    let file = try fixture.patch(
      "second", [EditBatch(tensors: [second])], facts: [[4, 5].map { StackFixture.fact($0) }]
    ) {
      $0.parents = [parent]
      $0.batches[0].metric = Manifest.Metric(
        kind: .secondMoments, held: [Manifest.Held(batch: digest, keyCount: 4, mu: .same(mu))])
    }
    return [first, file]
  }

  private func effect(of batches: [EditBatch]) -> [Double] {
    let effects = batches.map { fixture.effect(of: $0, at: Self.all).elements }
    return effects.dropFirst().reduce(effects[0]) { zip($0, $1).map(+) }
  }

  private func wanted(lambda: Double) throws -> [Double] {
    try fixture.edit.delta(lambda: lambda, facts: Self.all).multiplied(by: fixture.edit.keys).elements
  }

  /// The sum of the files is the joint edit already; solved together they are it at any lambda, from the files alone
  /// where the second carries its keys, in whatever order they are named.
  @Test(arguments: [false, true]) func solvedTogether(isReversed: Bool) throws {
    let files = try sequence(keys: (false, true))
    #expect(try relativeError(effect(of: files.flatMap(\.patch.batches)), wanted(lambda: Self.lambda)) < 1e-3)
    let stack = try PatchStack(isReversed ? files.reversed() : files)
    for lambda in [Self.lambda, 0.05] {
      let solved = try stack.resolved(stack.settled(), slack: .lambda(lambda)).readBack(fixture.directory).patch
      // Facts are in the order of the files; the effect at all keys does not ask for it.
      #expect(try relativeError(effect(of: solved.batches), wanted(lambda: lambda)) < 3e-3)
      #expect(solved.manifest.batches.count == 1 && solved.manifest.batches[0].metric == nil)
    }
  }

  @Test func withSecondMomentsInsteadOfKeys() throws {
    let stack = try PatchStack(sequence(keys: (false, false)))
    let solved = try stack.resolved(stack.settled(), slack: .lambda(0.05), statistics: fixture.statistics())
    #expect(try relativeError(effect(of: solved.batches), wanted(lambda: 0.05)) < 3e-3)
  }

  /// K = C B^T + H diag(1/mu) (B H)^T.
  @Test(arguments: [0.5, 20]) func keysComeBack(mu: Double) throws {
    let second = try sequence(mu: mu, keys: (false, false))[1].patch.batches[0].tensors[0]
    let found = try #require(
      second.recoveredKeys(
        secondMoment: PackedTriangle(lowerTriangleOf: fixture.edit.secondMoment), ridge: 0,
        held: (fixture.edit.keys([0, 1, 2, 3]).transposed(), [mu, mu, mu, mu])))
    #expect(relativeError(found.elements, fixture.edit.keys([4, 5]).transposed().elements) < 1e-3)
  }

  /// The later batch can lose a fact; the one that it holds cannot, unless both are solved together.
  @Test func whatIsHeldStays() throws {
    let files = try sequence()
    let dropped = try files[1].dropping(["Subject 5"]).readBack(fixture.directory)
    #expect(dropped.batches[0].tensors[0].heldProduct?.rows == 1 && dropped.manifest.batches[0].facts.count == 1)
    let stack = try PatchStack(files)
    let held = Set([PatchStack.Place(member: 0, fact: 1)])
    let error = try #require(throws: ErrataError.self) { try stack.dropping(held) }
    #expect(error.message { _ in "" }.contains("holds the keys of batch 0"))
    #expect(try stack.dropping([PatchStack.Place(member: 1, fact: 0)]).members.count == 2)
  }

  /// Neither without the batch that is held, nor where a key is held exactly.
  @Test func whatTheStackDoesNotKnowIsRefused() throws {
    let files = try sequence()
    let alone = try PatchStack([files[1]])
    let error = try #require(throws: ErrataError.self) { try alone.resolved(alone.settled(), slack: .lambda(1)) }
    #expect(error.message { _ in "" }.contains("holds keys that are not in the stack"))
  }
}
