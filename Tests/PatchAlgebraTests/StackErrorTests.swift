import LinearAlgebra
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import CheckpointLedger
@testable import PatchAlgebra
@testable import SecondMomentStatistics

@Suite struct StackErrorTests {
  let fixture: StackFixture

  init() throws { fixture = try StackFixture() }

  private func expect(
    _ category: ErrataError.Kind, _ message: String, _ work: () throws -> Void,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(throws: ErrataError(category, message), sourceLocation: sourceLocation, performing: work)
  }

  private func resolve(_ files: [PatchFile], _ slack: Slack? = nil, _ statistics: SecondMoments? = nil) throws {
    let stack = try PatchStack(files)
    _ = try stack.resolved(stack.settled(), slack: slack, statistics: statistics)
  }

  private var a: String { fixture.path("a") }
  private var b: String { fixture.path("b") }

  @Test func bases() throws {
    let files = [
      try fixture.patch("a", [0]), try fixture.patch("b", [1]) { $0.base.tensors["w"]!.digest = Digest(of: [9]) },
    ]
    let digests = (StackFixture.baseDigest.abbreviated, Digest(of: [9]).abbreviated)
    expect(.baseMismatch, "\(a) and \(b): were made for different bases: w: \(digests.0) and \(digests.1)") {
      _ = try PatchStack(files)
    }
    #expect(
      ErrataError.basesDiffer("p", "q", [("w", StackFixture.baseDigest, StackFixture.baseDigest)])
        == ErrataError(.baseMismatch, "p and q: were made for different bases: w: only one stores it transposed"))
  }

  /// Without a common tensor nothing shows that two patches are for one base but what they say of it.
  @Test func models() throws {
    func describe(_ architecture: String?, _ configuration: Int?, _ tokenizer: Int?) -> (inout Manifest) -> Void {
      {
        $0.base.architecture = architecture
        $0.base.configuration = configuration.map { Digest(of: [UInt8($0)]) }
        $0.base.tokenizer = tokenizer.map { Digest(of: [UInt8($0)]) }
      }
    }
    func name(_ byte: UInt8) -> String { Digest(of: [byte]).abbreviated }
    let first = try fixture.patch("a", [0], change: describe("llama", 1, 2))
    let cases: [((inout Manifest) -> Void, String?)] = [
      (describe("llama", 1, 2), nil), (describe(nil, nil, nil), nil),
      (describe("llama", 7, 2), "config.json \(name(1)) and \(name(7))"),
      (describe(nil, nil, 8), "tokenizer.json \(name(2)) and \(name(8))"),
      (
        describe("gpt2", 7, 8),
        "llama and gpt2, config.json \(name(1)) and \(name(7)), tokenizer.json \(name(2)) and \(name(8))"
      ),
    ]
    for (change, difference) in cases {
      let files = [first, try fixture.patch("b", [1], tensor: "v", change: change)]
      if let difference {
        expect(
          .baseMismatch, "\(a) and \(b): were made for different models: \(difference); stack patches of one model"
        ) { _ = try PatchStack(files) }
      } else {
        #expect(try PatchStack(files).tensorNames == ["v", "w"])
      }
    }
    // The weights themselves say more than config.json does.
    let common = try fixture.patch("b", [1], change: describe("llama", 7, 8))
    #expect(try PatchStack([first, common]).tensorNames == ["w"])
  }

  @Test func oneBatchWithTwoSetsOfFacts() throws {
    let first = try fixture.patch("a", [0, 1])
    let second = try fixture.patch("b", [0, 1], target: "other")
    expect(
      .conflict,
      "\(a) and \(b): carry the same batch (0 and 0), but do not say the same facts of it: at most one of them is right"
    ) { _ = try PatchStack([first, second]) }
  }

  @Test func contradictions() throws {
    let stack = try PatchStack([
      try fixture.patch("a", [0, 1, 2, 3, 4]), try fixture.patch("b", [1, 2, 3, 4, 5], target: "other"),
    ])
    func pair(_ number: Int) -> String {
      let facts = [StackFixture.fact(number), StackFixture.fact(number, target: "other")]
      return
        "\(facts[0].identifier) (Subject \(number): new, \(a)) and \(facts[1].identifier) (Subject \(number): other, "
        + "\(b))"
    }
    expect(
      .conflict,
      "these facts contradict each other: \(pair(1)); \(pair(2)); \(pair(3)) and 1 more; decide which to "
        + "prefer: those of the first patch, of the last, or one by its ID"
    ) { _ = try stack.settled() }
    // An ID decides about its own pair only, and both of a pair decide nothing.
    let identifiers = [1, 2, 3].map { StackPreference.identifier(StackFixture.fact($0).identifier) }
    expect(
      .conflict,
      "these facts contradict each other: \(pair(4)); decide which to prefer: those of the first patch, of the "
        + "last, or one by its ID"
    ) { _ = try stack.settled(identifiers) }
    expect(
      .conflict,
      "these facts contradict each other: \(pair(4)); decide which to prefer: those of the first patch, of the "
        + "last, or one by its ID"
    ) {
      _ = try stack.settled(
        identifiers
          + [4].flatMap { number in
            ["new", "other"].map { .identifier(StackFixture.fact(number, target: $0).identifier) }
          })
    }
    #expect(try stack.settled(identifiers + [.last]).losers.count == 4)
    expect(
      .usage,
      "the preference abc: is neither 'first' nor 'last', nor begins the ID of a fact in a contradiction or of "
        + "its patch (four digits at least)"
    ) { _ = try stack.settled([.identifier("abc")]) }
    expect(.usage, "to prefer the first and to prefer the last exclude each other") {
      _ = try stack.settled([.first, .last])
    }
  }

  @Test func slack() throws {
    let files = [try fixture.patch("a", [0]), try fixture.patch("b", [1], lambda: 2)]
    expect(
      .usage, "the batches were solved with different lambda (0.5, 2.0); give lambda, or a method with w"
    ) { try resolve(files) }
    try resolve(files, .memit(weight: 3))
  }

  @Test func keys() throws {
    let files = [try fixture.patch("a", [0], keys: false), try fixture.patch("b", [1], keys: false)]
    let advice =
      "which solving all facts together takes; add the second moments that they were made with, or make one "
      + "again with its keys"
    expect(.general, "\(a) and \(b): carry no keys, \(advice)") { try resolve(files) }
    let sequence = try fixture.patch(
      "s",
      try [[2], [3]].map {
        EditBatch(tensors: [try fixture.edit.factors(lambda: 0.5, facts: $0, left: .f32, keys: false)])
      }, facts: [[StackFixture.fact(2)], [StackFixture.fact(3)]])
    expect(.general, "\(sequence.path): carries no keys, \(advice)") { try resolve([sequence]) }

    expect(
      .baseMismatch,
      "\(fixture.directory("stats.safetensors")): has no second moments of w as it is in the base of \(a); "
        + "collect them"
    ) { try resolve(files, nil, fixture.statistics(weight: Digest(of: [4]))) }
    let other = try DirectEdit(seed: 9).secondMoment
    expect(
      .baseMismatch,
      "\(fixture.directory("stats.safetensors")): are not the second moments that batch 0 of \(a) was solved "
        + "with (w); give those, or make the patch again with its keys"
    ) { try resolve(files, nil, fixture.statistics(of: other)) }
    expect(
      .damagedInput,
      "\(fixture.directory("stats.safetensors")): not a file of second moments: layer 0 has 2 rows, not 40"
    ) { try resolve(files, nil, fixture.statistics(of: Matrix(rows: 2, columns: 2, repeating: 1))) }

    let factors = try fixture.edit.factors(lambda: 0.5, facts: [4, 5], left: .f32, keys: true)
    let swapped = LowRankFactors(
      name: "w", isTransposed: false, left: factors.left, right: factors.right, gram: factors.gram,
      keys: factors.keys!.facts(at: [1, 0]))
    let wrong = try fixture.patch(
      "b", [EditBatch(tensors: [swapped])], facts: [[4, 5].map { StackFixture.fact($0) }])
    expect(.damagedInput, "\(b): the keys of batch 0 are not those that its factors of w were solved for") {
      try resolve([files[0], wrong])
    }
  }

  @Test func systems() throws {
    let first = try fixture.patch("a", [0])
    let other = try fixture.patch("b", [1]) { $0.batches[0].statistics?.digest = Digest(of: [5]) }
    expect(
      .conflict,
      "\(a) and \(b): were solved with different second moments, so that their facts have no common system; "
        + "stack them side by side, or make one again with the other's"
    ) { try resolve([first, other]) }
    let published = try fixture.patch("b", [1]) {
      $0.batches[0].method.hyperparameters.keyForm = Manifest.Hyperparameters.publishedROMEKeyForm
    }
    expect(
      .general,
      "\(b): batch 0 divides by the bare prompt's key (published ROME), which has no place in a common system; "
        + "stack side by side, or make it again with ROME as in the paper"
    ) { try resolve([first, published]) }
    let compacted = try fixture.patch("b", [1]) { $0.batches[0].terms = .components }
    expect(
      .general,
      "\(b): the terms of batch 0 belong to no single fact (it was compacted, or is a difference): it cannot be solved "
        + "again; use the patch that it was made from"
    ) { try resolve([first, compacted]) }
    let bare = try fixture.edit.factors(lambda: 0.5, facts: [1], left: .f32, keys: true)
    let withoutGram = try fixture.patch(
      "b",
      [EditBatch(tensors: [LowRankFactors(name: "w", isTransposed: false, left: bare.left, right: bare.right)])],
      facts: [[StackFixture.fact(1)]])
    expect(.general, "\(b): batch 0 carries no Gram matrix for w: it cannot be solved again") {
      try resolve([first, withoutGram])
    }
    // Side by side they stand all the same.
    let stack = try PatchStack([first, withoutGram])
    #expect(try stack.summed(stack.settled()).batches.count == 2)
  }

  @Test func dependentKeys() throws {
    // One subject, two prompts: the same key, as the lookup position comes before what differs.
    let second = Manifest.Fact(subject: "Subject 0", prompt: "{} speaks", targetNew: "Greek")
    for carriesKeys in [true, false] {
      let factors = try fixture.edit.factors(lambda: 0.5, facts: [0, 1], left: .f32, keys: carriesKeys)
      let files = [
        try fixture.patch("a", [0, 2], keys: carriesKeys),
        try fixture.patch("b", [EditBatch(tensors: [factors])], facts: [[second, StackFixture.fact(1)]]),
      ]
      let statistics = carriesKeys ? nil : try fixture.statistics()
      expect(
        .conflict,
        "these facts have keys that depend linearly on those of facts before them: fact \"Subject 0 speaks "
          + "Greek\" (\(second.identifier)); with lambda 0.0 there is no solution; use a larger one, or drop them"
      ) { try resolve(files, .lambda(0), statistics) }
      try resolve(files, .lambda(0.1), statistics)
    }
  }

  @Test func theResult() throws {
    let stack = try PatchStack([
      try fixture.patch("a", [0]) {
        $0.parents = [Manifest.Parent(patch: Digest(of: [3]), batches: [Digest(of: [4])])]
      },
      try fixture.patch("b", [1]),
    ])
    expect(
      .conflict,
      "\(a) and \(b): were computed on top of other patches, so that the result does not follow from the base "
        + "alone; leave out the base"
    ) {
      var stacked = try stack.summed(stack.settled())
      try stacked.recordResult(onBase: LockedCheckpoint(path: DropTests.samples + "/model"))
    }
  }
}
