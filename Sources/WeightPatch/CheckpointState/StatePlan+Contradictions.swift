import Tensors

extension StatePlan {
  /// Facts of what is to be applied that contradict facts of other patches, in words, one pair each. The sum of both edits
  /// answers as chance will have it; that does not keep them from being applied.
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
        "\(carried.fact.identifier) (\(carried.fact.subject): \(carried.fact.targetNew), \(file.identifier.abbreviated))"
      }
      return "\(names[0]) and \(names[1]) contradict each other; 'errata stack --prefer' decides"
    }
  }
}
