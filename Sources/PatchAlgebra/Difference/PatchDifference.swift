import LinearAlgebra
import Tensors
import WeightPatch

/// What sets two patches apart: their facts, and what they do to every tensor.
public struct PatchDifference: Sendable {
  /// The same question with another answer.
  public struct ChangedFact: Sendable {
    public let before: Manifest.Fact
    public let after: Manifest.Fact
  }

  /// In the order of the second patch.
  public let added: [Manifest.Fact]
  /// In the order of the first patch.
  public let removed: [Manifest.Fact]
  /// Same subject and prompt, another target; in the order of the first patch.
  public let changed: [ChangedFact]
  /// How many facts both have.
  public let sharedFactCount: Int
  /// Every tensor that one of them edits, in order of name.
  public let tensors: [TensorComparison]
  /// How many batches both carry.
  public let sharedBatchCount: Int
  /// The tensors that both edit, and that are not the same in the bases that they were made for.
  public let tensorsOfOtherBases: [ByteString]
  /// Whether facts, batches or bases differ: what else a manifest says does not count.
  public let isDifferent: Bool
  /// Whether both change the same tensors of one base, in nearly the same direction, and no further apart than rounding
  /// to the tensors' types can put them: as the difference of a base and a merged checkpoint, and the adapter that was
  /// merged.
  public let isSameButForRounding: Bool

  /// - Throws: an `ErrataError` if a patch has factors too large to be multiplied.
  /// - Complexity: O(E^2 (d_out + d_in)) for every tensor.
  public init(from first: PatchFile, to second: PatchFile) throws {
    let facts = FactDifference(
      from: first.patch.manifest.batches.flatMap(\.facts), to: second.patch.manifest.batches.flatMap(\.facts))
    (added, removed, changed, sharedFactCount) = (facts.added, facts.removed, facts.changed, facts.sharedCount)
    let (before, after) = (first.patch.manifest.base.tensors, second.patch.manifest.base.tensors)
    tensorsOfOtherBases = before.keys.filter { name in after[name].map { $0.digest != before[name]!.digest } ?? false }
      .sorted()
    let batches = [first, second].map { Set($0.patch.manifest.batches.map(\.digest)) }
    sharedBatchCount = batches[0].intersection(batches[1]).count
    isDifferent =
      batches[0] != batches[1] || !tensorsOfOtherBases.isEmpty || !added.isEmpty || !removed.isEmpty || !changed.isEmpty
    tensors = try Set(before.keys).union(after.keys).sorted().map { name in
      do {
        return try TensorComparison(name: name, first.patch.change(of: name), second.patch.change(of: name))
      } catch is SingularValueDecomposition.NotConverged {
        throw ErrataError.factorsTooLarge(first.path, second.path, name)
      }
    }
    isSameButForRounding =
      Set(before.keys) == Set(after.keys) && tensorsOfOtherBases.isEmpty
      && tensors.allSatisfy { tensor in
        let figures = first.patch.manifest.batches.lazy.compactMap { $0.tensors[tensor.name] }.first
        guard let weightNorm = figures?.weightNorm, let distance = tensor.differenceNorm, let cosine = tensor.cosine
        else { return false }
        return distance <= before[tensor.name]!.dtype.roundingShare * weightNorm && cosine > 0.99
      }
  }
}

extension DType {
  /// The most that rounding changes a weight by, as a share of it.
  fileprivate var roundingShare: Double {
    switch self {
    case .bf16: 0x1p-8
    case .f16: 0x1p-11
    default: 0x1p-24
    }
  }
}

/// The facts of one list that are not in the other, told apart by their IDs.
private struct FactDifference {
  var added: [Manifest.Fact] = []
  var removed: [Manifest.Fact] = []
  var changed: [PatchDifference.ChangedFact] = []
  var sharedCount = 0

  private struct Question: Hashable {
    let subject: String
    let prompt: String

    init(_ fact: Manifest.Fact) { (subject, prompt) = (fact.subject, fact.prompt) }
  }

  init(from before: [Manifest.Fact], to after: [Manifest.Fact]) {
    let (old, new) = (Self.distinct(before), Self.distinct(after))
    let (oldIDs, newIDs) = (Set(old.map(\.identifier)), Set(new.map(\.identifier)))
    sharedCount = oldIDs.intersection(newIDs).count
    added = new.filter { !oldIDs.contains($0.identifier) }
    for fact in old where !newIDs.contains(fact.identifier) {
      if let index = added.firstIndex(where: { Question($0) == Question(fact) }) {
        changed.append(PatchDifference.ChangedFact(before: fact, after: added.remove(at: index)))
      } else {
        removed.append(fact)
      }
    }
  }

  /// Several batches can carry one fact.
  private static func distinct(_ facts: [Manifest.Fact]) -> [Manifest.Fact] {
    var seen: Set<String> = []
    return facts.filter { seen.insert($0.identifier).inserted }
  }
}

extension Patch {
  /// The factors of every batch that edits a tensor; a batch that stands in the patch twice counts once.
  fileprivate func change(of tensor: ByteString) -> [LowRankFactors] {
    var seen: Set<Digest> = []
    return zip(manifest.batches, batches).flatMap { description, batch in
      seen.insert(description.digest).inserted ? batch.tensors.filter { $0.name == tensor } : []
    }
  }
}
