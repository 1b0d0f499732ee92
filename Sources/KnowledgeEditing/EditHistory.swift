import LinearAlgebra
import PatchAlgebra
import SecondMomentStatistics
import Tensors
import WeightPatch

/// The keys that an edit holds: those of the facts that its model carries already (Spec: the metric). With each batch
/// solved for what the weights so far lack, and every earlier key held with the slack that it was solved with, the sum
/// of a sequence is the edit of all its facts at once.
struct EditHistory {
  /// A batch of a patch on the model.
  private struct Member {
    let factors: () -> EditBatch
    let description: Manifest.Batch
    /// mu of its keys; nil for a batch that is not held.
    var slacks: Manifest.TermSlack?
  }

  /// In the order in which the batches came.
  private let members: [Member]
  private let statistics: SecondMoments
  /// The batches of facts whose keys cannot be known: not stored, and not to be had from these second moments.
  let unknownCount: Int

  /// Holds nothing.
  init(without statistics: SecondMoments) { (members, self.statistics, unknownCount) = ([], statistics, 0) }

  /// - Parameters:
  ///   - carried: the patches on the model, in order.
  ///   - tensors: what is edited. A batch that edits none of them has nothing to lose.
  ///   - facts: the new ones. What an earlier fact says at the same lookup gives way to them, and so does it to a later
  ///     one of the earlier facts.
  init(
    of carried: [PatchedModel.CarriedPatch], editing tensors: Set<ByteString>, statistics: SecondMoments,
    facts: [Manifest.Fact]
  ) {
    self.statistics = statistics
    var members: [Member] = []
    var unknownCount = 0
    var known: Set<Digest> = []
    for patch in carried {
      for (index, description) in patch.manifest.batches.enumerated()
      where description.terms == .facts && !known.contains(description.digest) {
        let member = Member(factors: { patch.batches()[index] }, description: description)
        guard Self.hasKeys(member, known, statistics) else {
          if !tensors.isDisjoint(with: patch.batches()[index].tensors.map(\.name)) { unknownCount += 1 }
          continue
        }
        known.insert(description.digest)
        members.append(member)
      }
    }
    var later = Set(facts.map(\.lookupText))
    for index in members.indices.reversed() {
      guard members[index].factors().tensors.contains(where: { tensors.contains($0.name) }) else { continue }
      let description = members[index].description
      let own = description.method.slack.values(count: description.facts.count)
      let slacks = zip(own, description.facts).map { later.contains($1.lookupText) ? Manifest.Held.freeSlack : $0 }
      later.formUnion(description.facts.map(\.lookupText))
      if slacks.contains(where: { $0 < Manifest.Held.freeSlack }) {
        members[index].slacks = slacks == own ? description.method.slack : .perTerm(slacks)
      }
    }
    self.members = members
    self.unknownCount = unknownCount
  }

  /// The metric of C^-1 with these keys; nil if there are none.
  var metric: Manifest.Metric? {
    let held = members.compactMap { member in
      member.slacks.map {
        Manifest.Held(batch: member.description.digest, keyCount: member.description.facts.count, mu: $0)
      }
    }
    return held.isEmpty ? nil : Manifest.Metric(kind: .secondMoments, held: held)
  }

  /// The held keys at a layer, and mu of each. Where a batch does not edit the layer, its keys are zero.
  ///
  /// - Parameter keyLength: d_in.
  /// - Returns: H^T, h x d_in.
  /// - Throws: an `ErrataError` if second moments are needed and cannot be read.
  func keys(
    ofTensor tensor: ByteString, layer: Int, keyLength: Int
  ) throws -> (keys: Matrix<Double>, slacks: [Double]) {
    var found: [Digest: Matrix<Double>] = [:]
    var secondMoment: PackedTriangle?
    for member in members {
      let (description, count) = (member.description, member.description.facts.count)
      guard let factors = member.factors().tensors.first(where: { $0.name == tensor }) else {
        found[description.digest] = Matrix(rows: count, columns: keyLength)
        continue
      }
      if let stored = factors.keyValues() {
        found[description.digest] = stored.widened()
        continue
      }
      if secondMoment == nil { secondMoment = try statistics.triangle(layer: layer) }
      let entries = description.metric?.held ?? []
      let held = (
        keys: Matrix(stacking: entries.map { found[$0.batch!]! }, columns: keyLength),
        slacks: entries.flatMap { $0.mu.values(count: $0.keyCount) }
      )
      found[description.digest] = factors.recoveredKeys(
        secondMoment: secondMoment!,
        ridge: try statistics.ridge(description.method.hyperparameters.ridge ?? 0, layer: layer),
        held: entries.isEmpty ? nil : held)!
    }
    let held = members.filter { $0.slacks != nil }
    return (
      Matrix(stacking: held.map { found[$0.description.digest]! }, columns: keyLength),
      held.flatMap { $0.slacks!.values(count: $0.description.facts.count) }
    )
  }

  /// Whether a batch's keys are stored, or follow from second moments and those of batches before it.
  private static func hasKeys(_ member: Member, _ known: Set<Digest>, _ statistics: SecondMoments) -> Bool {
    let description = member.description
    // What published ROME constrains is not the key that its direction came from.
    if description.method.hyperparameters.keyForm == Manifest.Hyperparameters.publishedROMEKeyForm { return false }
    let tensors = member.factors().tensors
    if tensors.allSatisfy({ $0.keys != nil }) { return true }
    guard description.statistics?.digest == statistics.digest else { return false }
    guard let metric = description.metric else { return true }
    // At a mu of 0 only the limit of B H / mu would tell.
    return metric.kind == .secondMoments && tensors.allSatisfy { $0.heldProduct != nil }
      && metric.held.allSatisfy { held in
        held.batch.map(known.contains) == true && held.mu.values(count: held.keyCount).allSatisfy { $0 > 0 }
      }
  }
}
