import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import PatchAlgebra

/// What cannot be done with batches that were solved in another metric than C^-1, that hold keys, or are held.
@Suite struct MetricErrorTests {
  let fixture: StackFixture

  init() throws { fixture = try StackFixture() }

  private var a: String { fixture.path("a") }
  private var b: String { fixture.path("b") }

  private func patch(
    _ name: String, _ facts: [Int], keys: Bool = true, metric: Manifest.Metric?,
    change: (inout Manifest.Batch) -> Void = { _ in }
  ) throws -> PatchFile {
    try fixture.patch(name, facts, keys: keys) {
      $0.batches[0].metric = metric
      change(&$0.batches[0])
    }
  }

  private func expect(
    _ message: String, _ work: () throws -> Void, at location: SourceLocation = #_sourceLocation
  ) {
    #expect(throws: ErrataError(.general, message), sourceLocation: location, performing: work)
  }

  private func resolve(_ files: PatchFile..., slack: Slack? = nil) throws {
    let stack = try PatchStack(files)
    _ = try stack.resolved(stack.settled(), slack: slack)
  }

  private let held = Manifest.Metric(
    kind: .secondMoments, held: [Manifest.Held(protected: Digest(of: [7]), keyCount: 3, mu: .same(1))])

  @Test func stacksOfDifferentMetrics() throws {
    let files = (try patch("a", [0, 1], metric: nil), try patch("b", [2], metric: Manifest.Metric(kind: .identity)))
    let reason = "were solved in different metrics, so that their facts have no common system; stack side by side"
    expect("\(a) and \(b): \(reason)") { try resolve(files.0, files.1) }
    expect("\(b) and \(a): \(reason)") { try resolve(files.1, files.0) }
  }

  @Test func stacksOfBatchesThatHold() throws {
    let files = (try patch("a", [0, 1], metric: nil), try patch("b", [2], metric: held))
    expect(
      "\(b): batch 0 holds keys that are not in the stack, or holds some exactly, and its directions are made for "
        + "them; stack side by side, or edit all facts anew"
    ) { try resolve(files.0, files.1) }
  }

  @Test func stacksWithoutKeys() throws {
    let identity = Manifest.Metric(kind: .identity)
    let files = (
      try patch("a", [0, 1], metric: identity), try patch("b", [2], keys: false, metric: identity)
    )
    expect(
      "\(b): batch 0 was not solved in the metric of second moments and does not carry its keys; stack side by side"
    ) { try resolve(files.0, files.1) }
  }

  @Test func stacksOfSlacks() throws {
    let files = (
      try patch("a", [0, 1], metric: nil), try patch("b", [2, 3], metric: nil) { $0.method.lambdas = [0.25, 0.5] }
    )
    expect("\(b): batch 0 has slacks of its own for single terms or tensors; choose one lambda for all") {
      try resolve(files.0, files.1)
    }
    // With one for all there is a system.
    try resolve(files.0, files.1, slack: .lambda(0.5))
  }

  @Test func tradeOffsWithoutText() throws {
    let file = try patch("a", [0, 1], metric: Manifest.Metric(kind: .identity))
    let reason =
      "batch 0 was solved in a metric that does not tell what its change of w does to ordinary text, and the patch "
      + "does not carry that; measure it on the model"
    expect("\(a): \(reason)") { _ = try TradeOff(of: file) }
    expect("\(a): \(reason)") { _ = try file.compacted(to: .rank(1), in: .text) }
  }

  /// What was solved with a batch in place stands on it.
  @Test func solvingAHeldBatchAgain() throws {
    let batches = try [[0, 1], [2]].map {
      EditBatch(tensors: [try fixture.edit.factors(lambda: 0.5, "w", facts: $0, left: .f32, keys: true)])
    }
    let whole = try fixture.patch("a", batches, facts: [[0, 1].map { StackFixture.fact($0) }, [StackFixture.fact(2)]])
    let digest = whole.manifest.batches[0].digest
    let file = try fixture.patch(
      "a", batches, facts: [[0, 1].map { StackFixture.fact($0) }, [StackFixture.fact(2)]]
    ) {
      $0.batches[1].metric = Manifest.Metric(
        kind: .secondMoments, held: [Manifest.Held(batch: digest, keyCount: 2, mu: .same(0.5))])
    }
    expect(
      "\(a): batch 1 holds the keys of batch 0 and was solved with it in place: batch 0 cannot be solved again alone; "
        + "edit the facts of both anew"
    ) { _ = try file.resolved(.lambda(1), batch: 0) }
    expect(
      "\(a): batch 1 holds the keys of batch 0 and was solved with it in place: batch 0 cannot be solved again alone; "
        + "edit the facts of both anew"
    ) { _ = try file.dropping([StackFixture.fact(0).identifier]) }
    _ = try file.resolved(.lambda(1), batch: 1)
  }
}
