import LinearAlgebra
import SecondMomentStatistics
import Tensors
import WeightPatch

/// How far patches of a stack get in each other's way when their edits are summed, predicted from their factors:
/// `|D_B k_a| / |r_a|`, what patch B does at the key of fact a, as a share of what a asks for.
public struct Interference: Sendable {
  /// One fact, and another patch.
  public struct Entry: Sendable {
    public let fact: Manifest.Fact
    /// The path of its patch.
    public let path: String
    /// The path of the patch that disturbs it.
    public let otherPath: String
    /// In the tensor where it is largest.
    public let share: Double
    public let tensor: ByteString
    /// The fact of the other patch with the largest part in it, and that part; nil if its terms are no facts.
    public let cause: (fact: Manifest.Fact, share: Double)?
  }

  /// The largest first.
  public let entries: [Entry]
  /// Pairs of paths between which nothing can be said, because neither patch carries keys.
  public let unknown: [[String]]
}

extension PatchStack {
  /// Predicts what the patches do to each other's facts once `settlement` is done.
  ///
  /// - Parameter statistics: second moments, where patches do not carry keys.
  /// - Throws: an `ErrataError` if keys do not fit, or if a batch that loses facts cannot be solved again.
  /// - Complexity: O(E^2 (d_in + d_out)) for every tensor.
  public func interference(_ settlement: StackSettlement, statistics: SecondMoments? = nil) throws -> Interference {
    try dropping(settlement.dropped).interference(statistics)
  }

  private struct Pair: Hashable {
    let place: Place
    let other: Int
  }

  private func interference(_ statistics: SecondMoments?) throws -> Interference {
    var largest: [Pair: Interference.Entry] = [:]
    var unknown: Set<[Int]> = []
    for name in tensorNames {
      let edited = try editedTensor(name, statistics: statistics)
      for (part, member) in edited.members.enumerated() {
        guard let system = edited.tensor.parts[part].system else { continue }
        let norms = system.residuals.rowNorms()
        for other in files.indices where !members[member].files.contains(other) {
          let disturbers = edited.members.indices.filter { disturber in
            let candidate = edited.members[disturber]
            return members[candidate].files.contains(other) && !shareAFile(candidate, member)
              && !isComputed(member, on: candidate)
          }
          guard !disturbers.isEmpty else { continue }
          guard let terms = disturbance(of: part, by: disturbers, edited) else {
            unknown.insert([members[member].files[0], other].sorted())
            continue
          }
          for fact in norms.indices where norms[fact] > 0 {
            let place = Place(member: member, fact: fact)
            let share = terms.total[fact] / norms[fact]
            guard share > largest[Pair(place: place, other: other)]?.share ?? -1 else { continue }
            largest[Pair(place: place, other: other)] = Interference.Entry(
              fact: self.fact(at: place), path: files[members[member].files[0]].path, otherPath: files[other].path,
              share: share, tensor: name,
              cause: terms.cause[fact].map { (self.fact(at: $0.place), $0.norm / norms[fact]) })
          }
        }
      }
    }
    let entries = largest.sorted { left, right in
      left.value.share != right.value.share
        ? left.value.share > right.value.share : left.key.place < right.key.place
    }
    return Interference(
      entries: entries.map(\.value),
      unknown: unknown.sorted { $0.lexicographicallyPrecedes($1) }.map { pair in pair.map { files[$0].path } })
  }

  /// Per fact of a part: |sum of D_p k| over the disturbing parts p, and the fact of theirs with the largest term.
  ///
  /// - Returns: nil if the keys that it takes are not known.
  private func disturbance(
    of part: Int, by disturbers: [Int], _ edited: EditedTensor
  ) -> (total: [Double], cause: [(place: Place, norm: Double)?])? {
    let parts = edited.tensor.parts
    let count = parts[part].right.rows
    var total = Matrix<Double>(rows: parts[part].left.rows, columns: count)
    var cause = [(place: Place, norm: Double)?](repeating: nil, count: count)
    for disturber in disturbers {
      guard let product = edited.tensor.product(disturber, atKeysOf: part) else { return nil }
      let change = parts[disturber].left.multiplied(by: product)
      for row in 0..<total.rows {
        for column in 0..<count { total[row, column] += change[row, column] }
      }
      let member = edited.members[disturber]
      guard members[member].description.terms == .facts else { continue }
      let norms = parts[disturber].left.columnNorms()
      for fact in 0..<count {
        for term in norms.indices {
          let norm = norms[term] * abs(product[term, fact])
          if norm > cause[fact]?.norm ?? 0 { cause[fact] = (Place(member: member, fact: term), norm) }
        }
      }
    }
    return (total.columnNorms(), cause)
  }
}
