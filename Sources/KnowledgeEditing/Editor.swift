import Facts
import Foundation
import MessagePassing
import PatchAlgebra
import SecondMomentStatistics
import Tensors
import WeightPatch

/// Computes edits of facts on an opened checkpoint, each of them a patch.
///
///     let base = try PatchedModel(OpenedCheckpoint(path: "SmolLM2-135M"))
///     let editor = try Editor(on: base, settings: settings, statistics: SecondMoments(contentsOf: "c.safetensors"))
///     let patch = try editor.edit(facts, origin: PatchOrigin(created: "2026-01-31T12:00:00Z", tool: tool))
///     try patch.write(to: "fix.wpatch")
///
/// The checkpoint is not changed. What one edit has computed that others need (factorizations of C) is kept for them.
public final class Editor {
  public let settings: EditSettings
  public let templates: ContextTemplates
  /// What edits are computed on; its patches are their parents.
  public private(set) var base: PatchedModel
  /// What the model says of the last patch's facts, with the exact result in place.
  public private(set) var verdicts: [FactVerdict] = []
  private let statistics: SecondMoments
  private let storesKeys: Bool
  private let protection: Protection?
  /// Its factorizations of C serve again.
  private var lastComputation: EditComputation?
  /// The last patch, and what computed it.
  private var last: (patch: Digest, computation: EditComputation)?

  /// - Parameters:
  ///   - base: what edits are computed on: a checkpoint with the patches that become their parents.
  ///   - templates: the contexts of the facts' prompts; nil samples them from the model as it is with the patches, the
  ///     method's usual number of them.
  ///   - statistics: the second moments of the layers' keys over ordinary text.
  ///   - storesKeys: whether patches carry the facts' keys, in float16.
  ///   - protection: what edits leave alone, as far as its weight says.
  /// - Throws: an `ErrataError` if the checkpoint is no model, or if a patch changes what is no layer's
  ///   down-projection.
  public init(
    on base: PatchedModel, settings: EditSettings, templates: ContextTemplates? = nil, statistics: SecondMoments,
    storesKeys: Bool = false, protection: Protection? = nil
  ) throws {
    self.base = base
    self.settings = settings
    self.statistics = statistics
    self.storesKeys = storesKeys
    self.protection = protection
    try base.compute()
    self.templates = try templates ?? ContextTemplates.sampled(from: base.model(), for: settings)
  }

  /// Computes one patch: finds what the model must say within to know the facts, and solves for the weights that say
  /// it.
  ///
  /// - Parameters:
  ///   - facts: at least one.
  ///   - origin: who makes the patch, and when.
  ///   - archive: keeps values as they are found, and brings those of an earlier run that was interrupted. It may be
  ///     removed when the patch is written.
  ///   - values: files of all facts' values, as `searchValues` makes them; nil searches here.
  ///   - group: processes that share the search: this is the first, and the others call `shareSearch` with the same
  ///     facts.
  ///   - onStep: called while values are searched; false stops.
  /// - Returns: the patch, with each fact's probability before and on the exact result.
  /// - Throws: an `EditInterruption` if `onStep` said stop; an `ErrataError` if the layers do not fit the model or the
  ///   method, if the statistics do not, or if something is wrong with a fact.
  public func edit(
    _ facts: [Manifest.Fact], origin: PatchOrigin, archive: ValueArchive? = nil, values: [String]? = nil,
    among group: ProcessGroup = .alone, onStep: (EditProgress) -> Bool = { _ in true }
  ) throws -> Patch {
    let computation = try computation()
    let identity = try computation.valueIdentity(facts)
    try check(identity, group)
    try archive?.open(identity, learningRate: settings.learningRate, size: computation.valueSize)
    let given = try values.map { try ValueParts($0, identity, settings, size: computation.valueSize) }
    let computed = try withoutActuallyEscaping(onStep) { onStep in
      try run(facts, archive, given, group, onStep: onStep) { try computation.run(facts, $0) }
    }
    guard let computed else {
      throw EditInterruption(foundCount: archive?.values.count ?? 0, factCount: facts.count, archive: archive?.path)
    }
    let patch = try Patch(
      Manifest(
        created: "", tool: origin.tool, base: computation.describeBase(), result: computation.resultDigests(),
        batches: measured(computed, computation), parents: base.parents
      ).made(by: origin),
      batches: computed.map(\.batch))
    last = (patch.identifier, computation)
    return patch
  }

  /// Searches the values of a part of the facts, and writes them to the archive's output: `edit` makes a patch of all
  /// parts, to the byte the one that it makes alone.
  ///
  /// - Parameters:
  ///   - facts: of all parts, in the order in which they will be edited.
  ///   - archive: as for `edit`.
  ///   - onStep: called while values are searched; false stops.
  /// - Returns: how many facts the part has.
  /// - Throws: as `edit`.
  public func searchValues(
    _ part: Part, of facts: [Manifest.Fact], archive: ValueArchive, onStep: (EditProgress) -> Bool = { _ in true }
  ) throws -> Int {
    let computation = try computation()
    try archive.open(
      computation.valueIdentity(facts), learningRate: settings.learningRate, size: computation.valueSize)
    let found = try withoutActuallyEscaping(onStep) { onStep in
      try run(facts, archive, nil, .alone, onStep: onStep) { try computation.search(part, of: facts, $0) }
    }
    guard let found else {
      throw EditInterruption(foundCount: archive.values.count, factCount: facts.count, archive: archive.path)
    }
    try archive.finish(part, found)
    return found.count
  }

  /// Searches values together with the other processes of a group, of which the first makes the patch (`edit`).
  ///
  /// - Parameters:
  ///   - facts: those of the first process.
  ///   - archive: of this process, as for `edit`.
  ///   - onStep: called while values are searched; false stops.
  /// - Throws: as `edit`.
  public func shareSearch(
    of facts: [Manifest.Fact], among group: ProcessGroup, archive: ValueArchive,
    onStep: (EditProgress) -> Bool = { _ in true }
  ) throws {
    let computation = try computation()
    let identity = try computation.valueIdentity(facts)
    try check(identity, group)
    try archive.open(identity, learningRate: settings.learningRate, size: computation.valueSize)
    let found = try withoutActuallyEscaping(onStep) { onStep in
      try run(facts, archive, nil, group, onStep: onStep) { try computation.search(nil, of: facts, $0) }
    }
    if found == nil {
      throw EditInterruption(foundCount: archive.values.count, factCount: facts.count, archive: archive.path)
    }
  }

  /// That all processes search the same. Collective.
  private func check(_ identity: Digest, _ group: ProcessGroup) throws {
    let identities = group.exchange(Array("\(identity)".utf8))
    if let rank = identities.firstIndex(where: { $0 != identities[0] }) { throw ErrataError.processesDiffer(rank) }
  }

  /// Before long work: values can be written there, and replace nothing but values.
  ///
  /// - Throws: an `ErrataError` if not.
  public static func checkOutput(ofValues path: String) throws {
    try AtomicFile.check(path: path, inputs: []) { ValueFile.isOne($0) }
  }

  /// Runs a computation from where the archive says that an earlier run was, and keeps there where this one is.
  private func run<Result>(
    _ facts: [Manifest.Fact], _ archive: ValueArchive?, _ given: ValueParts?, _ group: ProcessGroup,
    onStep: @escaping (EditProgress) -> Bool, _ compute: (EditComputation.Hooks) throws -> Result?
  ) throws -> Result? {
    var resumedSteps: Int?
    var latest: ValueFile.Search?
    let hooks = EditComputation.Hooks(
      values: given?.values ?? archive?.values ?? [:], resumed: archive?.searches ?? [], group: group,
      whenMissing: given.map { given in { count, factCount in throw given.missing(count, of: factCount) } },
      onStep: { progress in
        resumedSteps = resumedSteps ?? progress.steps - 1
        return onStep(EditProgress(progress, of: facts.count, resumedSteps: resumedSteps!))
      }, onFound: { try archive?.append($0) },
      onState: { facts, state in
        latest = (facts, state)
        try archive?.keep(state, of: facts, atOnce: false)
      })
    let computed = try compute(hooks)
    if computed == nil, let latest { try archive?.keep(latest.state, of: latest.facts, atOnce: true) }
    return computed
  }

  /// The batches' descriptions with each fact's probability before and after. The decoder computes with the weights
  /// that the edit began with afterwards.
  private func measured(
    _ computed: [EditComputation.ComputedBatch], _ computation: EditComputation
  ) throws -> [Manifest.Batch] {
    let scorer = FactScorer(try base.model())
    let facts = computed.flatMap(\.description.facts)
    verdicts = try Profile.measure("probabilities after") { try FactJudge(base.model()).judge(facts) }
    try computation.withdraw()
    let before = try Profile.measure("probabilities before") {
      try scorer.score(facts.map { FactRecord(fact: $0) }).map(\.rewrite.new)
    }
    var outcomes = zip(before, verdicts).makeIterator()
    return computed.map { batch in
      var description = batch.description
      for index in description.facts.indices {
        let (before, after) = outcomes.next()!
        var outcome = description.facts[index].outcome ?? Manifest.Outcome()
        outcome.probabilityBefore = exp(before.logProbability)
        outcome.probabilityAfter = after.probability
        outcome.targetTokens = before.tokenProbabilities.count
        outcome.tokensBefore = before.tokenProbabilities
        outcome.tokensAfter = after.tokenProbabilities
        outcome.holds = after.holds
        description.facts[index].outcome = outcome
      }
      return description
    }
  }

  // MARK: - Sequences

  /// Whether a patch is what `edit` would make of these facts, but for its origin.
  ///
  /// - Throws: an `ErrataError`, as `edit`.
  public func wouldMake(_ manifest: Manifest, of facts: [Manifest.Fact]) throws -> Bool {
    try computation().isResult(manifest, of: facts)
  }

  /// How many batches of facts on the base an edit cannot hold: their keys are not stored, and do not follow from its
  /// second moments.
  public func unheldBatchCount() throws -> Int {
    guard settings.holdsEarlierFacts else { return 0 }
    let computation = try computation()
    try computation.hold(besides: [])
    return computation.history.unknownCount
  }

  /// Takes the patch that was computed last to those that the next edit is computed on top of.
  ///
  /// - Precondition: `edit` returned it, and no other one since.
  public func keep(_ patch: Patch) {
    guard let last, last.patch == patch.identifier else { preconditionFailure("another patch was computed last") }
    last.computation.keep(as: patch)
  }

  /// Has the next edit computed on top of these patches, besides those that the checkpoint carries.
  ///
  /// - Throws: an `ErrataError` if they cannot be applied to the checkpoint.
  public func restart(after patches: [PatchFile]) throws {
    base = try PatchedModel(base.checkpoint, with: patches)
  }

  private func computation() throws -> EditComputation {
    let computation = try EditComputation(
      on: base, settings: settings, templates: templates, statistics: statistics, storesKeys: storesKeys,
      protection: protection, sharingFactorsOf: lastComputation)
    lastComputation = computation
    return computation
  }
}

/// How far an edit is.
public struct EditProgress: Sendable {
  /// The facts whose values are found, of how many.
  public let completed: Int
  public let total: Int
  /// Steps of the search, of all facts, of how many at most; and those that an earlier run made.
  public let steps: Int
  public let totalSteps: Int
  public let resumedSteps: Int
  /// For people: "step 3, mean loss 0.25".
  public let remark: String

  init(_ progress: ValueSearchProgress, of count: Int, resumedSteps: Int) {
    completed = progress.found
    total = count
    steps = progress.steps
    totalSteps = progress.totalSteps
    self.resumedSteps = resumedSteps
    remark = progress.remark
  }
}

/// An edit was stopped before every fact's value was found.
public struct EditInterruption: Error {
  public let foundCount: Int
  public let factCount: Int
  /// Where the values that were found are kept; nil if they are not.
  public let archive: String?
}
