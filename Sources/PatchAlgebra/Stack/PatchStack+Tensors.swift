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
    let tensor: StackedTensor
  }

  var tensorNames: [ByteString] { base.tensors.keys.sorted() }

  /// - Parameter statistics: for the keys, K = (C + ridge) B^T. They are taken before those that a patch carries: so
  ///   all of them are of one C, and of B as it is stored.
  /// - Throws: an `ErrataError` if keys, carried or computed, do not belong to the factors.
  func editedTensor(_ name: ByteString, statistics: SecondMoments?) throws -> EditedTensor {
    let found = members.indices.compactMap { member in
      members[member].batch.tensors.first { $0.name == name }.map { (member: member, factors: $0) }
    }
    var secondMoment: PackedTriangle?
    let parts = try found.map { member, factors -> StackedTensor.Part in
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
      // K = C B^T holds for C^-1 alone, and where no keys are held.
      let hasOwnKeys =
        described.method.hyperparameters.keyForm != Manifest.Hyperparameters.publishedROMEKeyForm
        && (described.metric.map { $0.kind == .secondMoments && $0.held.isEmpty } ?? true)
      if system != nil, hasOwnKeys, let statistics {
        hasExactKeys = true
        secondMoment = try secondMoment ?? self.secondMoment(of: name, from: statistics, for: path)
        keys = computedKeys(right, secondMoment!, ridge: described.method.hyperparameters.ridge ?? 0)
      }
      let part = StackedTensor.Part(
        left: left, right: right, rounding: factors.right.roundings(of: right), keys: keys, hasExactKeys: hasExactKeys,
        system: system,
        computedOn: found.indices.filter { isComputed(member, on: found[$0].member) })
      // Beyond any rounding: other keys, or another C.
      if let inexactness = part.inexactness, !(inexactness < 0.02) {
        throw ErrataError.keysDoNotFit(
          path, members[member].index, name, statistics: hasExactKeys ? statistics?.path : nil)
      }
      return part
    }
    return EditedTensor(
      name: name, members: found.map(\.member), factors: found.map(\.factors), tensor: StackedTensor(parts: parts))
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
