import Tensors
import WeightPatch

/// The batches of several patches, each once: what stands on their base when all of them are applied.
public struct PatchStack: Sendable {
  /// A batch, and where it comes from.
  struct Member: Sendable {
    let batch: EditBatch
    let description: Manifest.Batch
    /// The patches that carry it, by position, ascending.
    var files: [Int]
    /// Its number in the first of these.
    let index: Int
    /// The digests of the batches that were on the base when it was computed.
    let computedOn: Set<Digest>

    var digest: Digest { description.digest }

    /// Whether it was solved with the keys of another batch held.
    func holds(_ batch: Digest) -> Bool { description.metric?.held.contains { $0.batch == batch } ?? false }
  }

  /// A fact, as it stands in a batch of the stack.
  struct Place: Hashable, Comparable {
    let member: Int
    let fact: Int

    static func < (left: Place, right: Place) -> Bool { (left.member, left.fact) < (right.member, right.fact) }
  }

  /// In the order in which they were named; one that was named twice counts once.
  public let files: [PatchFile]
  /// In the order of the patches, and in theirs. (Exact apply goes by digest: the order of a file does not matter.)
  let members: [Member]
  let base: Manifest.Base
  /// The patches that must be on the base besides.
  let parents: [Manifest.Parent]

  /// - Parameter files: at least one.
  /// - Throws: an `ErrataError`: the patches were made for different bases (base mismatch), or say different things of
  ///   the same batch, or one corrects a weight that another changes (conflict).
  public init(_ files: [PatchFile]) throws {
    var seen: Set<Digest> = []
    let files = files.filter { seen.insert($0.identifier).inserted }
    self.files = files
    base = try Self.commonBase(of: files)
    let set = BatchSet(files)
    try set.checkCorrections { $0.path }
    var members: [Member] = []
    for (file, patch) in files.map(\.patch).enumerated() {
      var before = Set(patch.manifest.parents.flatMap(\.batches))
      for (index, description) in patch.manifest.batches.enumerated() {
        if let known = members.firstIndex(where: { $0.digest == description.digest }) {
          guard members[known].description.facts.map(\.identifier) == description.facts.map(\.identifier) else {
            throw ErrataError.sameBatchOtherFacts(
              files[members[known].files[0]].path, members[known].index, files[file].path, index)
          }
          if members[known].files.last != file { members[known].files.append(file) }
        } else {
          members.append(
            Member(
              batch: patch.batches[index], description: description, files: [file], index: index,
              computedOn: description.computedOn.map(Set.init) ?? before))
        }
        before.insert(description.digest)
      }
    }
    self.members = members
    var named: Set<Digest> = []
    parents = files.flatMap(\.manifest.parents).filter {
      !set.digests.isSuperset(of: $0.batches) && named.insert($0.patch).inserted
    }
  }

  /// What is said of the base, where the patches agree on it.
  private static func commonBase(of files: [PatchFile]) throws -> Manifest.Base {
    var tensors: [ByteString: (tensor: Manifest.BaseTensor, file: Int)] = [:]
    for (index, file) in files.enumerated() {
      var mismatches: [Int: [(name: ByteString, expected: Digest, found: Digest)]] = [:]
      for (name, tensor) in file.manifest.base.tensors.sorted(by: { $0.key < $1.key }) {
        guard let known = tensors[name] else {
          tensors[name] = (tensor, index)
          continue
        }
        if known.tensor != tensor {
          mismatches[known.file, default: []].append((name, known.tensor.digest, tensor.digest))
        }
      }
      if let (other, differing) = mismatches.min(by: { $0.key < $1.key }) {
        throw ErrataError.basesDiffer(files[other].path, file.path, differing)
      }
    }
    try checkModels(of: files)
    var base = Manifest.Base(commonTo: files.map(\.manifest.base))
    base.tensors = tensors.mapValues(\.tensor)
    return base
  }

  /// Patches without a common tensor are for one base only by what they say of it. (A common tensor shows it: its
  /// digest was compared, and config.json may have changed where the model did not.)
  private static func checkModels(of files: [PatchFile]) throws {
    for (index, second) in files.enumerated() {
      for first in files[..<index] {
        let (one, other) = (first.manifest.base, second.manifest.base)
        guard Set(one.tensors.keys).isDisjoint(with: other.tensors.keys) else { continue }
        func part(_ name: String, _ field: KeyPath<Manifest.Base, Digest?>) -> String? {
          guard let mine = one[keyPath: field], let others = other[keyPath: field], mine != others else { return nil }
          return "\(name) \(mine.abbreviated) and \(others.abbreviated)"
        }
        var parts = [part("config.json", \.configuration), part("tokenizer.json", \.tokenizer)].compactMap(\.self)
        if let mine = one.architecture, let others = other.architecture, mine != others {
          parts.insert("\(mine) and \(others)", at: 0)
        }
        guard parts.isEmpty else { throw ErrataError.modelsDiffer(first.path, second.path, parts) }
      }
    }
  }

  func fact(at place: Place) -> Manifest.Fact { members[place.member].description.facts[place.fact] }

  var places: [Place] {
    members.indices.flatMap { member in
      members[member].description.facts.indices.map { Place(member: member, fact: $0) }
    }
  }

  /// Whether one batch was computed with the other in place.
  func isComputed(_ member: Int, on other: Int) -> Bool { members[member].computedOn.contains(members[other].digest) }

  /// Whether some patch carries both batches.
  func shareAFile(_ member: Int, _ other: Int) -> Bool {
    !Set(members[member].files).isDisjoint(with: members[other].files)
  }
}
