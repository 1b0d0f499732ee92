import LinearAlgebra
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import PatchAlgebra
@testable import SecondMomentStatistics

/// Patches solved as one: the edit of all facts at once.
@Suite struct JointSolutionTests {
  private func part(
    _ edit: DirectEdit, _ facts: [Int], lambda: Double, keys: Bool, residuals: Matrix<Double>? = nil,
    computedOn: [Int] = []
  ) throws -> StackedTensor.Part {
    let (left, right, gram) = try edit.solved(lambda: lambda, facts: facts)
    let own =
      try residuals.map { try GramSystem(gram: gram, residuals: $0.transposed()).left(slack: .same(lambda)) } ?? left
    return StackedTensor.Part(
      left: own, right: right, keys: keys ? edit.keys(facts).transposed() : nil,
      system: GramSystem(left: own, gram: gram, slack: .same(lambda)), computedOn: computedOn)
  }

  private func delta(_ tensor: StackedTensor, keeping kept: [[Int]], lambda: Double) throws -> Matrix<Double> {
    let left = try JointSystem(tensor, keeping: kept).system.left(slack: .same(lambda))
    let rights = zip(tensor.parts, kept).flatMap { $0.right.rows(at: $1).elements }
    let right = Matrix(rows: left.columns, columns: DirectEdit.inputSize, elements: rights)
    return left.multiplied(by: right)
  }

  @Test(arguments: [0, 0.5, 100], [(true, true), (true, false), (false, true)])
  func twoHalvesGiveTheWholeEdit(lambda: Double, keys: (Bool, Bool)) throws {
    let edit = try DirectEdit()
    let tensor = StackedTensor(parts: [
      try part(edit, [0, 1, 2, 3], lambda: 0.1, keys: keys.0), try part(edit, [4, 5], lambda: 20, keys: keys.1),
    ])
    let found = try delta(tensor, keeping: [[0, 1, 2, 3], [0, 1]], lambda: lambda)
    let expected = try edit.delta(lambda: lambda, facts: Array(0..<6))
    #expect(relativeError(found.elements, expected.elements) < 1e-9)
    // Without some of the facts, too.
    let fewer = try delta(tensor, keeping: [[3, 0], [1]], lambda: lambda)
    #expect(relativeError(fewer.elements, try edit.delta(lambda: lambda, facts: [3, 0, 5]).elements) < 1e-9)
  }

  @Test func aPartComputedOnAnotherAsksTheBaseForBoth() throws {
    let edit = try DirectEdit()
    let first = try part(edit, [0, 1, 2], lambda: 0.1, keys: true)
    // What the later facts lack once the first edit is in place.
    var residuals = edit.residuals.transposed().rows(at: [3, 4, 5]).transposed()
    let done = first.left.multiplied(by: first.right).multiplied(by: edit.keys([3, 4, 5]))
    for row in 0..<residuals.rows {
      for column in 0..<residuals.columns { residuals[row, column] -= done[row, column] }
    }
    let second = try part(edit, [3, 4, 5], lambda: 0.1, keys: false, residuals: residuals, computedOn: [0])
    let found = try delta(
      StackedTensor(parts: [first, second]), keeping: [[0, 1, 2], [0, 1, 2]], lambda: 0)
    #expect(relativeError(found.elements, try edit.delta(lambda: 0, facts: Array(0..<6)).elements) < 1e-9)
  }

  enum KeySource: CaseIterable {
    case bothPatches
    case firstPatch
    case secondPatch
    case statistics
  }

  @Test(arguments: KeySource.allCases, [nil, Slack.lambda(0.05)] as [Slack?])
  func filesGiveTheWholeEditWithinWhatTheirTypesAllow(source: KeySource, slack: Slack?) throws {
    let fixture = try StackFixture()
    let stack = try PatchStack([
      try fixture.patch("a", [0, 1, 2, 3], keys: source == .bothPatches || source == .firstPatch),
      try fixture.patch("b", [4, 5], keys: source == .bothPatches || source == .secondPatch),
    ])
    let file = try stack.resolved(
      stack.settled(), slack: slack, statistics: source == .statistics ? fixture.statistics() : nil
    ).readBack(fixture.directory)
    let all = Array(0..<6)
    let lambda = slack == nil ? StackFixture.lambda : 0.05
    #expect(file.patch.batches.count == 1)
    let found = fixture.effect(of: file.patch.batches[0], at: all)
    let wanted = try fixture.edit.delta(lambda: lambda, facts: all).multiplied(by: fixture.edit.keys)
    #expect(relativeError(found.elements, wanted.elements) < 3e-3)
    #expect((file.patch.batches[0].tensors[0].keys != nil) == (source == .bothPatches))

    let batch = file.patch.manifest.batches[0]
    #expect(batch.facts.map(\.subject) == all.map { "Subject \($0)" })
    #expect(batch.method.lambda == lambda && batch.method.name == "emmet" && batch.method.layers == [0])
    #expect(batch.method.alpha == (slack == nil ? 0.5 : nil))
    #expect(batch.statistics == Manifest.Statistics(digest: Digest(of: [3]), tokenCount: 120))
    #expect(batch.facts[0].outcome == Manifest.Outcome(steps: 3, loss: 0.5, probabilityBefore: 0.25))
    let figures = try #require(batch.tensors["w"])
    #expect(
      figures.weightNorm == 2 && figures.layer == 0
        && figures.deltaNorm == file.patch.batches[0].tensors[0].deltaNorm(using: .blas)
    )
    // The patch can be solved again and again.
    let dropped = try file.dropping(["Subject 1"])
    let rest = fixture.effect(of: dropped.batches[0], at: [0, 5])
    let expected = try fixture.edit.delta(lambda: lambda, facts: [0, 2, 3, 4, 5]).multiplied(
      by: fixture.edit.keys([0, 5]))
    #expect(relativeError(rest.elements, expected.elements) < 5e-3)
  }

  @Test func theRidgeOfAnEditIsThatOfItsKeys() throws {
    let fixture = try StackFixture()
    // What the edit calls C has the ridge in it; the file has not.
    let size = DirectEdit.inputSize
    let ridge = 0.01
    var plain = fixture.edit.secondMoment
    let mean = (0..<size).reduce(0) { $0 + plain[$1, $1] } / Double(size) / (1 + ridge)
    for index in 0..<size { plain[index, index] -= ridge * mean }
    let files = try [("a", [0, 1, 2]), ("b", [3, 4, 5])].map { name, facts in
      try fixture.patch(name, facts, keys: false) { $0.batches[0].method.hyperparameters.ridge = ridge }
    }
    let stack = try PatchStack(files)
    let stacked = try stack.resolved(stack.settled(), statistics: fixture.statistics(of: plain))
    let all = Array(0..<6)
    let wanted = try fixture.edit.delta(lambda: StackFixture.lambda, facts: all).multiplied(by: fixture.edit.keys)
    #expect(relativeError(fixture.effect(of: stacked.batches[0], at: all).elements, wanted.elements) < 3e-3)
  }

  /// Two patches about one subject whose prompts begin with it: their keys are the same, but for the rounding of
  /// float32 and that of what is stored, and lambda is small beside G.
  @Test(
    arguments: [(DType.f32, DType.f32), (.f16, .f16), (.f32, .f16), (.i8, .i8), (.f16, .i8)], KeySource.allCases)
  func equalKeys(types: (DType, DType), source: KeySource) throws {
    let lambda = 0.1
    let fixture = try StackFixture(edit: DirectEdit(factCount: 5, keyScale: 200, sameKeys: [(0, 3)]))
    func patch(_ name: String, _ facts: [Int], _ type: DType, keys: Bool) throws -> PatchFile {
      let factors = try fixture.edit.factors(
        lambda: lambda, facts: facts, left: .f32, right: type, keys: keys, noise: name == "a" ? 0 : 1e-6)
      return try fixture.patch(
        name, [EditBatch(tensors: [factors])], facts: [facts.map { StackFixture.fact($0) }], lambda: lambda)
    }
    let stack = try PatchStack([
      patch("a", [0, 1, 2], types.0, keys: source == .bothPatches || source == .firstPatch),
      patch("b", [3, 4], types.1, keys: source == .bothPatches || source == .secondPatch),
    ])
    let stacked = try stack.resolved(
      stack.settled(), statistics: source == .statistics ? fixture.statistics() : nil)
    let all = Array(0..<5)
    let factors = stacked.batches[0].tensors[0]
    let gram = try #require(factors.gram)
    #expect(gram[0, 0] > 1e3 * lambda)
    // What was solved is a Gram matrix, and equal keys have equal rows of B.
    let right = try #require(factors.rightValues())
    #expect(right.row(0).elementsEqual(right.row(3)))
    var shifted = gram
    for fact in all { shifted[fact, fact] += 1e-9 * gram[0, 0] }
    #expect((try? Cholesky(shifted)) != nil)
    // It does what the edit of all facts at once does, as far as float32 holds it: in A the difference of the two
    // residuals stands divided by lambda, and its rounding is multiplied by G.
    let wanted = try fixture.edit.delta(lambda: lambda, facts: all).multiplied(by: fixture.edit.keys)
    let tolerance = types.0 == .i8 || types.1 == .i8 ? 0.1 : 1e-2
    #expect(relativeError(fixture.effect(of: stacked.batches[0], at: all).elements, wanted.elements) < tolerance)
  }

  @Test func whatIsNoGramMatrixIsMadeOne() throws {
    let matrix = Matrix<Double>(rows: 3, columns: 3, elements: [1, 1.5, 0, 1.5, 1, 0, 0, 0, 2])
    let positive = try PositivePart(of: matrix).matrix
    // Eigenvalues 2.5, -0.5 and 2: the second goes.
    #expect(relativeError(positive.elements, [1.25, 1.25, 0, 1.25, 1.25, 0, 0, 0, 2]) < 1e-12)
  }

  /// One metric has one ridge; without the digests of the second moments too.
  @Test func ridgesThatDifferAreNotOneMetric() throws {
    let fixture = try StackFixture()
    func patch(_ name: String, _ facts: [Int], ridge: Double?) throws -> PatchFile {
      try fixture.patch(name, facts) {
        $0.batches[0].statistics = nil
        $0.batches[0].method.hyperparameters.ridge = ridge
      }
    }
    let stack = try PatchStack([patch("a", [0, 1], ridge: 0.1), patch("b", [2, 3], ridge: nil)])
    let error = #expect(throws: ErrataError.self) { _ = try stack.resolved(stack.settled()) }
    #expect(error?.kind == .conflict && error?.message.contains("different second moments") == true)
  }

  @Test func aFactOfTwoPatchesCountsOnce() throws {
    let fixture = try StackFixture(factCount: 4)
    let stack = try PatchStack([try fixture.patch("a", [0, 1, 2]), try fixture.patch("b", [2, 3])])
    let settlement = try stack.settled()
    #expect(settlement.repeated.map(\.subject) == ["Subject 2"] && settlement.losers.isEmpty)
    let stacked = try stack.resolved(settlement, slack: .lambda(0))
    #expect(stacked.manifest.batches[0].facts.map(\.subject) == (0..<4).map { "Subject \($0)" })
    let wanted = try fixture.edit.delta(lambda: 0, facts: Array(0..<4)).multiplied(by: fixture.edit.keys)
    #expect(relativeError(fixture.effect(of: stacked.batches[0], at: Array(0..<4)).elements, wanted.elements) < 3e-3)
  }

  @Test func tensorsWithTheSameFactsMakeOneBatch() throws {
    let fixture = try StackFixture(factCount: 4)
    let wide = try fixture.patch(
      "wide",
      [
        EditBatch(
          tensors: try ["v", "w"].map {
            try fixture.edit.factors(lambda: 0.5, $0, facts: [0, 1], left: .f16, keys: true)
          })
      ],
      facts: [[0, 1].map { StackFixture.fact($0) }])
    let stack = try PatchStack([wide, try fixture.patch("narrow", [2, 3])])
    let patch = try stack.resolved(stack.settled()).readBack(fixture.directory).patch
    #expect(patch.batches.map { $0.tensors.map(\.name) } == [["v"], ["w"]])
    #expect(patch.manifest.batches.map { $0.facts.count } == [2, 4])
    // They are one edit: neither was computed with the other in place.
    #expect(patch.manifest.batches.map(\.computedOn) == [nil, []])
    // And they can be stacked with others without counting twice.
    let again = try PatchStack([try PatchFile(path: fixture.directory("to.wpatch")), try fixture.patch("c", [0])])
    #expect(try again.settled().superseded.count == 1)
  }

  @Test func factorsOfSeveralTypesAreJoined() throws {
    let rows = Matrix<Float>(rows: 2, columns: 3, elements: [1, 2, 3, -4, 5, 0.5])
    let half = StoredFactor(rows, dtype: .f16, facts: .rows)
    let plain = StoredFactor(dtype: .f16, rows: 1, columns: 3, bytes: [0, 0x3C, 0, 0x40, 0, 0x44])
    let single = StoredFactor(rows, dtype: .f32, facts: .rows)
    let joined = StoredFactor.joined([half, plain])
    #expect(joined.dtype == .f16 && joined.exponents == (half.exponents ?? []) + [0])
    #expect(joined.values(facts: .rows)?.elements == rows.elements + [1, 2, 4])
    let mixed = StoredFactor.joined([half, single, plain])
    #expect(mixed.dtype == .f32 && mixed.values(facts: .rows)?.elements == rows.elements + rows.elements + [1, 2, 4])
    #expect(StoredFactor.joined([plain, plain]).exponents == nil)
  }
}
