import CKernels
import Tensors

/// The change `d` of one edited tensor: the sum of the terms of some edit batches, in a fixed order, in binary64
/// (Spec: exact apply).
///
/// It is computed for any run of elements on its own, so that a tensor of any size is worked through in bounded memory.
public struct TensorChange: Sendable {
  public let name: ByteString
  public let dtype: DType
  /// As stored, two extents.
  public let shape: Shape
  let format: StoredFormat
  let rows: Int
  let columns: Int
  private let factors: [LowRankFactors]

  /// - Parameters:
  ///   - factors: one for every batch that edits the tensor, in ascending order of batch digest; none is no change.
  ///   - shape: the stored shape: [d_in, d_out] where the factors say that the checkpoint stores the transpose.
  /// - Throws: an `ErrataError` (base mismatch) if the tensor is not a matrix of a weight type with the factors' shape.
  public init(_ factors: [LowRankFactors], name: ByteString, dtype: DType, shape: Shape) throws {
    guard let format = StoredFormat(dtype) else { throw ErrataError.notAWeightType(name, dtype) }
    guard shape.extents.count == 2, shape.elementCount != nil else { throw ErrataError.notAMatrix(name, shape) }
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.format = format
    self.rows = shape.extents[0]
    self.columns = shape.extents[1]
    self.factors = factors
    for factor in factors {
      try check(
        wanted: factor.isTransposed ? [factor.inputSize, factor.outputSize] : [factor.outputSize, factor.inputSize])
    }
  }

  /// - Throws: an `ErrataError` (base mismatch) if the tensor has another shape.
  func check(wanted: Shape) throws {
    guard shape == wanted else { throw ErrataError.shapeMismatch(name, found: shape, wanted: wanted) }
  }

  public var elementCount: Int { rows * columns }

  /// Whether there is no batch; the sum of some batches may still be zero.
  public var isEmpty: Bool { factors.isEmpty }

  /// Sets `delta` to the change of the stored elements `elements` (row-major indices).
  ///
  /// - Parameter delta: room for `elements.count` values.
  func compute(_ elements: Range<Int>, into delta: UnsafeMutablePointer<Double>) {
    delta.update(repeating: 0, count: elements.count)
    var position = elements.lowerBound
    while position < elements.upperBound {
      // A rectangle at a time: the rest of a row, or as many whole rows as there are.
      let (row, column) = position.quotientAndRemainder(dividingBy: columns)
      let left = elements.upperBound - position
      let wholeRows = column == 0 ? left / columns : 0
      let rowCount = max(wholeRows, 1)
      let columnCount = wholeRows > 0 ? columns : min(left, columns - column)
      let target = delta + (position - elements.lowerBound)
      for factor in factors {
        factor.accumulate(rows: row..<row + rowCount, columns: column..<column + columnCount, into: target)
      }
      position += rowCount * columnCount
    }
  }
}

extension LowRankFactors {
  /// Adds the terms, in order, to a rectangle of the stored tensor, `delta`, whose rows follow one another.
  fileprivate func accumulate(rows: Range<Int>, columns: Range<Int>, into delta: UnsafeMutablePointer<Double>) {
    // A fact's column of A runs over d_out, its row of B over d_in; which of them runs over the stored rows depends on
    // the orientation. The product of two factors does not.
    left.withKernelFactor(factStride: 1, elementStride: left.columns) { left in
      right.withKernelFactor(factStride: right.columns, elementStride: 1) { right in
        var rowFactor = isTransposed ? right : left
        var columnFactor = isTransposed ? left : right
        errata_accumulate_terms(
          &rowFactor, rows.lowerBound, rows.count, &columnFactor, columns.lowerBound, columns.count, rank, delta,
          columns.count)
      }
    }
  }
}

extension StoredFactor {
  fileprivate func withKernelFactor(factStride: Int, elementStride: Int, _ body: (errata_factor) -> Void) {
    let type =
      switch dtype {
      case .f32: errata_factor_f32
      case .f16: errata_factor_f16
      case .i8: errata_factor_i8
      default: preconditionFailure("\(dtype.rawValue) is not a factor type")
      }
    bytes.withUnsafeBufferPointer { stored in
      func call(_ exponents: UnsafePointer<Int8>?) {
        body(
          errata_factor(
            type: type, stored: stored.baseAddress, fact_stride: factStride, element_stride: elementStride,
            exponents: exponents))
      }
      if let exponents {
        exponents.withUnsafeBufferPointer { call($0.baseAddress) }
      } else {
        call(nil)
      }
    }
  }
}
