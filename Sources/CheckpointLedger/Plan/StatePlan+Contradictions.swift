import Tensors
import WeightPatch

/// What should be said of the facts that come together; it does not keep them from being applied.
extension StatePlan {
  /// Facts of what is to be applied that contradict facts of other patches, in words, one pair each. The sum of both
  /// edits answers as chance will have it.
  ///
  /// A patch that was computed on top of another may correct it.
  public var contradictions: [String] {
    let carried = patches.enumerated().flatMap { patch, file in
      file.manifest.batches.flatMap(\.facts).map { (fact: $0, patch: patch) }
    }
    let new = Set(applied.map(\.identifier))
    return Contradiction.all(among: carried.map(\.fact)).compactMap { pair in
      let (first, second) = (carried[pair.first], carried[pair.second])
      let files = [first, second].map { patches[$0.patch] }
      guard first.patch != second.patch, files.contains(where: { new.contains($0.identifier) }),
        !files[0].isComputed(on: files[1]), !files[1].isComputed(on: files[0])
      else { return nil }
      let names = zip([first, second], files).map { carried, file in
        "\(carried.fact.identifier) (\(carried.fact.subject): \(carried.fact.targetNew), "
          + "\(file.identifier.abbreviated))"
      }
      return "\(names[0]) and \(names[1]) contradict each other; 'errata stack --prefer' decides"
    }
  }

  /// Facts of what is to be applied that another patch brings too, in a batch of its own, in words; nil if there are
  /// none. The sum of both edits overshoots. Batches that are equal count once, and a patch that was computed on top of
  /// another knows what that one does.
  public var repetition: String? { repetition(PatchRelations(patches)) }

  func repetition(_ relations: PatchRelations) -> String? {
    var bringers: [String: (fact: Manifest.Fact, places: [(file: Int, batch: Digest)])] = [:]
    for (index, file) in patches.enumerated() {
      for batch in file.manifest.batches {
        for fact in batch.facts {
          bringers[fact.identifier, default: (fact, [])].places.append((index, batch.digest))
        }
      }
    }
    let new = batches.digests.subtracting(state.batches.digests)
    let repeated = bringers.values.filter { _, places in
      places.count > 1
        && places.contains { one in
          new.contains(one.batch)
            && places.contains { other in
              other.batch != one.batch && other.file != one.file && !relations.areRelated(one.file, other.file)
            }
        }
    }.map(\.fact).map { (fact: $0, identifier: $0.identifier) }
      .sorted { ($0.fact.subject, $0.identifier) < ($1.fact.subject, $1.identifier) }.map(\.fact)
    guard let first = repeated.first else { return nil }
    let name = "\(first.identifier) (\(first.subject))"
    let facts = repeated.count == 1 ? name + " comes" : "\(name) and \(repeated.count - 1) more facts come"
    return facts + " with more than one patch, and the sum adds up what each does; "
      + "'errata stack --resolve' makes one of them"
  }
}

/// Which of some patches were computed on top of which. That is asked for every fact that two of them share, and each
/// answer looks at all of their batches: it is found once for two patches.
final class PatchRelations {
  private let patches: [PatchFile]
  private var known: [[Int]: Bool] = [:]
  /// How many pairs were looked at.
  var comparisonCount: Int { known.count }

  init(_ patches: [PatchFile]) { self.patches = patches }

  /// Whether one of two patches, by number, was computed on top of the other.
  func areRelated(_ first: Int, _ second: Int) -> Bool {
    let pair = [min(first, second), max(first, second)]
    if let isRelated = known[pair] { return isRelated }
    let isRelated = patches[first].isComputed(on: patches[second]) || patches[second].isComputed(on: patches[first])
    known[pair] = isRelated
    return isRelated
  }
}
