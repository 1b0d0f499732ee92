import Foundation
import LinearAlgebra
import SecondMomentStatistics
import Tensors
import WeightPatch

extension PatchStack {
  /// The members that edit a tensor, and what they do to it.
  struct EditedTensor {
    let name: ByteString
    /// The member of every part.
    let members: [Int]
    let factors: [LowRankFactors]
    /// (C^-1 K)^T of each, in the type of its B; nil where it is not known.
    let directions: [StoredFactor?]
    let tensor: StackedTensor
  }

  var tensorNames: [ByteString] { base.tensors.keys.sorted() }

  /// - Parameter statistics: for the keys, K = (C + ridge) B^T. They are taken before those that a patch carries: so
  ///   all of them are of one C, and of B as it is stored.
  /// - Throws: an `ErrataError` if keys, carried or computed, do not belong to the factors.
  func editedTensor(_ name: ByteString, statistics: SecondMoments?) throws -> EditedTensor {
    let edits = members.indices.compactMap { member in
      members[member].batch.tensors.first { $0.name == name }.map { (member: member, factors: $0) }
    }
    let directions = unheldDirections(edits)
    var secondMoment: PackedTriangle?
    let parts = try edits.enumerated().map { position, found -> StackedTensor.Part in
      let (member, factors) = found
      let described = members[member].description
      let path = files[members[member].files[0]].path
      // A patch that was read has finite values.
      let (left, right) = (factors.leftValues()!.widened(), factors.rightValues()!.widened())
      let system =
        described.terms == .facts
        ? factors.gram.map { GramSystem(left: left, gram: $0, slack: described.slack(of: name)) } : nil
      var keys = factors.keyValues()?.widened()
      var hasExactKeys = false
      // What published ROME constrains is not the key that its direction came from.
      let isHolding = described.metric.map { !$0.held.isEmpty } ?? false
      let unheld = isHolding ? directions[position].map { $0.values(facts: .rows)!.widened() } : nil
      // K = C (C^-1 K) holds for C^-1 alone.
      let hasOwnKeys =
        described.method.hyperparameters.keyForm != Manifest.Hyperparameters.publishedROMEKeyForm
        && (described.metric.map { $0.kind == .secondMoments } ?? true) && (!isHolding || unheld != nil)
      if system != nil, hasOwnKeys, let statistics {
        hasExactKeys = true
        secondMoment = try secondMoment ?? self.secondMoment(of: name, from: statistics, for: path)
        keys = computedKeys(unheld ?? right, secondMoment!, ridge: described.method.hyperparameters.ridge ?? 0)
      }
      let part = StackedTensor.Part(
        left: left, right: right, unheldDirections: unheld,
        rounding: (isHolding ? directions[position] ?? factors.right : factors.right).roundings(of: unheld ?? right),
        keys: keys, hasExactKeys: hasExactKeys,
        system: system,
        computedOn: edits.indices.filter { isComputed(member, on: edits[$0].member) })
      // Beyond any rounding: other keys, or another C.
      if let inexactness = part.inexactness, !(inexactness < 0.02) {
        throw ErrataError.keysDoNotFit(
          path, members[member].index, name, statistics: hasExactKeys ? statistics?.path : nil)
      }
      return part
    }
    return EditedTensor(
      name: name, members: edits.map(\.member), factors: edits.map(\.factors), directions: directions,
      tensor: StackedTensor(parts: parts))
  }

  /// (C^-1 K)^T of every batch that edits a tensor. For one that holds none it is B; else (Spec: the metric)
  ///
  ///     C^-1 K = B^T + C^-1 H diag(1/mu) (B H)^T
  ///
  /// with C^-1 H from the batches that it holds, so that neither C nor keys are needed.
  ///
  /// - Returns: nil for a batch that holds keys which the stack does not have, or exactly.
  private func unheldDirections(_ edits: [(member: Int, factors: LowRankFactors)]) -> [StoredFactor?] {
    var found = [Digest: Matrix<Double>]()
    var stored = [StoredFactor?](repeating: nil, count: edits.count)
    // A batch holds only what came before it, but the patches may be named in any order.
    var isGrowing = true
    while isGrowing {
      isGrowing = false
      for (position, edit) in edits.enumerated() where stored[position] == nil {
        let description = members[edit.member].description
        guard let directions = unheldDirections(edit.factors, description.metric, found) else { continue }
        stored[position] = directions
        found[description.digest] = directions.values(facts: .rows)?.widened()
        isGrowing = true
      }
    }
    return stored
  }

  /// Those of one batch, once those of the batches that it holds are found.
  private func unheldDirections(
    _ factors: LowRankFactors, _ metric: Manifest.Metric?, _ found: [Digest: Matrix<Double>]
  ) -> StoredFactor? {
    guard let metric, !metric.held.isEmpty else { return factors.right }
    guard metric.kind == .secondMoments, let product = factors.heldProduct, let right = factors.rightValues()?.widened()
    else { return nil }
    var sum = right
    var first = 0
    for held in metric.held {
      defer { first += held.keyCount }
      guard let digest = held.batch, let holder = members.first(where: { $0.digest == digest }) else { return nil }
      // Where the held batch does not edit the tensor, it has no keys there.
      guard holder.batch.tensors.contains(where: { $0.name == factors.name }) else { continue }
      let slacks = held.mu.values(count: held.keyCount)
      guard let directions = found[digest], directions.rows == held.keyCount, slacks.allSatisfy({ $0 > 0 }) else {
        return nil
      }
      for row in 0..<sum.rows {
        for key in 0..<held.keyCount {
          let share = product[row, first + key] / slacks[key]
          for column in 0..<sum.columns { sum[row, column] += share * directions[key, column] }
        }
      }
    }
    return (try? sum.narrowedFactor(.rows)).map { StoredFactor($0, dtype: factors.right.dtype, facts: .rows) }
  }

  /// C of the layer whose weight the tensor is, d_in x d_in.
  private func secondMoment(
    of name: ByteString, from statistics: SecondMoments, for path: String
  ) throws -> PackedTriangle {
    let tensor = base.tensors[name]!
    guard let layer = statistics.layer(ofWeight: tensor.digest) else {
      throw ErrataError.statisticsWithoutTensor(statistics.path, path, name)
    }
    let secondMoment = try statistics.triangle(layer: layer)
    let inputSize = tensor.shape.extents[tensor.isTransposed ? 0 : 1]
    guard secondMoment.size == inputSize else {
      throw ErrataError.notStatistics(
        statistics.path, "layer \(layer) has \(secondMoment.size) rows, not \(inputSize)")
    }
    return secondMoment
  }

  /// K^T = B (C + ridge mean(diag C) I), E x d_in.
  private func computedKeys(_ right: Matrix<Double>, _ secondMoment: PackedTriangle, ridge: Double) -> Matrix<Double> {
    var system = secondMoment
    system.addRidge(ridge)
    return system.product(ofRows: right)
  }
}

extension StoredFactor {
  /// For each row about the norm of what rounding to the factor's type has changed of it.
  ///
  /// - Parameter values: those of the factor, with facts along the rows.
  func roundings(of values: Matrix<Double>) -> [Double] {
    values.rowNorms().enumerated().map { row, norm in
      switch dtype {
      // Evenly spaced: each element is off by 0.29 steps in the mean square.
      case .i8: 0.35 * scalbn(1, Int(exponents?[row] ?? 0)) * Double(columns).squareRoot()
      case .f16: norm * 0x1p-11
      default: norm * 0x1p-24
      }
    }
  }
}
