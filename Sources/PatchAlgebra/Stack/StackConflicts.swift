import Tensors
import WeightPatch

/// Which of two facts that contradict each other is to stay.
public enum StackPreference: Sendable, Equatable {
  /// The one of the patch that was named first.
  case first
  /// The one of the patch that was named last.
  case last
  /// This one: the first digits of its ID or of its patch's (four at least).
  case identifier(String)
}

/// What becomes of facts of different patches that do not go together.
public struct StackSettlement: Sendable {
  /// A fact that gives way to another.
  public struct Loser: Sendable {
    public let fact: Manifest.Fact
    /// The path of its patch.
    public let path: String
    public let winner: Manifest.Fact
    public let winnerPath: String
  }

  /// Facts that contradict others, and are left out.
  public let losers: [Loser]
  /// Facts that more than one patch brings, computed apart: a sum applies them more than once.
  public let repeated: [Manifest.Fact]
  let dropped: Set<PatchStack.Place>
  /// What does not count when all facts are solved as one batch: repetitions, and facts that a later batch, computed on
  /// top of theirs, corrects.
  let superseded: Set<PatchStack.Place>
}

extension PatchStack {
  /// Decides which facts stay.
  ///
  /// Facts of one patch are its author's business, and a batch that was computed on top of another may correct it.
  ///
  /// - Throws: an `ErrataError`: facts of different patches contradict each other, and no preference decides
  ///   (conflict); or a preference means nothing (usage).
  public func settled(_ preferences: [StackPreference] = []) throws -> StackSettlement {
    let places = places
    let contradictions = Contradiction.all(among: places.map(fact(at:))).map {
      (places[$0.first], places[$0.second])
    }
    let undecided = contradictions.filter { isOpen($0.member, $1.member) }
    let losers = try decide(undecided, preferences)
    let dropped = Set(losers.keys)
    var superseded: Set<Place> = []
    for (first, second) in contradictions + repetitions(places)
    where !dropped.contains(first) && !dropped.contains(second) {
      if isComputed(second.member, on: first.member) {
        superseded.insert(first)
      } else if isComputed(first.member, on: second.member) || !shareAFile(first.member, second.member) {
        superseded.insert(second)
      }
    }
    let repeated = repetitions(places).filter { isOpen($0.member, $1.member) && dropped.isDisjoint(with: [$0, $1]) }
    var named: Set<String> = []
    return StackSettlement(
      losers: losers.sorted { $0.key < $1.key }.map { loser, winner in
        StackSettlement.Loser(
          fact: fact(at: loser), path: path(loser), winner: fact(at: winner), winnerPath: path(winner))
      },
      repeated: repeated.map { fact(at: $0.0) }.filter { named.insert($0.identifier).inserted },
      dropped: dropped, superseded: superseded)
  }

  /// Whether two batches know nothing of each other.
  private func isOpen(_ first: Int, _ second: Int) -> Bool {
    !shareAFile(first, second) && !isComputed(first, on: second) && !isComputed(second, on: first)
  }

  /// Pairs of places of the same fact, the first one before the second.
  private func repetitions(_ places: [Place]) -> [(Place, Place)] {
    Dictionary(grouping: places) { fact(at: $0).identifier }.values.flatMap { same in
      same.indices.flatMap { first in same[(first + 1)...].map { (same[first], $0) } }
    }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }
  }

  private func path(_ place: Place) -> String { files[members[place.member].files[0]].path }

  /// For every fact that must go the one that it gives way to.
  private func decide(_ pairs: [(Place, Place)], _ preferences: [StackPreference]) throws -> [Place: Place] {
    let prefersFirst = preferences.contains(.first)
    let hasOrder = prefersFirst || preferences.contains(.last)
    if prefersFirst, preferences.contains(.last) { throw ErrataError.preferencesExclude }
    let involved = Set(pairs.flatMap { [$0.0, $0.1] }).sorted()
    var preferred: Set<Place> = []
    for case .identifier(let digits) in preferences {
      let meant = involved.filter { place in
        digits.utf8.count >= 4
          && (fact(at: place).identifier.hasPrefix(digits.lowercased())
            || members[place.member].files.contains {
              files[$0].identifier.description.hasPrefix(digits.lowercased())
            })
      }
      guard !meant.isEmpty else { throw ErrataError.preferenceMeansNothing(digits) }
      preferred.formUnion(meant)
    }
    func rank(_ place: Place) -> (Int, Int, Place) {
      let carriers = members[place.member].files
      return (preferred.contains(place) ? 0 : 1, prefersFirst ? carriers.first! : -carriers.last!, place)
    }

    var kept: Set<Place> = []
    var losers: [Place: Place] = [:]
    var open: [(Place, Place)] = []
    for place in involved.sorted(by: { rank($0) < rank($1) }) {
      let opponents = pairs.compactMap { $0.0 == place ? $0.1 : $0.1 == place ? $0.0 : nil }.filter(kept.contains)
      guard let winner = opponents.min(by: { rank($0) < rank($1) }) else {
        kept.insert(place)
        continue
      }
      if hasOrder || (preferred.contains(winner) && !preferred.contains(place)) {
        losers[place] = winner
      } else {
        open.append((min(winner, place), max(winner, place)))
      }
    }
    guard open.isEmpty else {
      throw ErrataError.contradictions(
        open.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map { [(fact(at: $0), path($0)), (fact(at: $1), path($1))] })
    }
    return losers
  }

  /// The stack without some facts: the batches that held them are solved again, as `errata drop` does. One that loses
  /// its last fact goes.
  ///
  /// - Throws: an `ErrataError` if a batch cannot be solved again.
  func dropping(_ dropped: Set<Place>) throws -> PatchStack {
    var renamed: [Digest: Digest?] = [:]
    let changed = try members.enumerated().map { position, member -> (EditBatch, Manifest.Batch)? in
      let kept = member.description.facts.indices.filter { !dropped.contains(Place(member: position, fact: $0)) }
      guard kept.count < member.description.facts.count else { return (member.batch, member.description) }
      guard member.description.terms == .facts else {
        throw ErrataError.batchOfComponents(files[member.files[0]].path, member.index)
      }
      if let holder = self.members.first(where: { $0.holds(member.digest) }) {
        throw ErrataError.stackedBatchIsHeld(
          files[member.files[0]].path, member.index, by: files[holder.files[0]].path, holder.index)
      }
      guard !kept.isEmpty else {
        renamed[member.digest] = .some(nil)
        return nil
      }
      var (batch, description) = try files[member.files[0]].solvedAgain(batch: member.index, keeping: kept)
      description.digest = batch.digest()
      renamed[member.digest] = description.digest
      return (batch, description)
    }
    let members = zip(members, changed).compactMap { member, changed -> Member? in
      guard let (batch, description) = changed else { return nil }
      return Member(
        batch: batch, description: description, files: member.files, index: member.index,
        computedOn: Set(member.computedOn.compactMap { renamed[$0] ?? $0 }))
    }
    return PatchStack(files: files, members: members, base: base, parents: parents)
  }

  private init(files: [PatchFile], members: [Member], base: Manifest.Base, parents: [Manifest.Parent]) {
    self.files = files
    self.members = members
    self.base = base
    self.parents = parents
  }
}
