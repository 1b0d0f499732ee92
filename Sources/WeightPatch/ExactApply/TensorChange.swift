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
  package let format: StoredFormat
  package let rows: Int
  package let columns: Int
  private let factors: [LowRankFactors]
  /// Steps that follow the rounding.
  let corrections: [StoredCorrection]

  /// - Parameters:
  ///   - factors: one for every batch that edits the tensor, in ascending order of batch digest; none is no change.
  ///   - shape: the stored shape: [d_in, d_out] where the factors say that the checkpoint stores the transpose.
  /// - Throws: an `ErrataError` (base mismatch) if the tensor is not of a weight type and of the factors' shape, or if
  ///   there are terms for it and it is not a matrix.
  public init(_ factors: [LowRankFactors], name: ByteString, dtype: DType, shape: Shape) throws {
    guard let format = StoredFormat(dtype) else { throw ErrataError.notAWeightType(name, dtype) }
    let isMatrix = shape.extents.count == 2
    guard let elementCount = shape.elementCount, isMatrix || factors.allSatisfy({ $0.rank == 0 }) else {
      throw ErrataError.notAMatrix(name, shape)
    }
    for factor in factors where factor.shape != shape {
      throw ErrataError.shapeMismatch(name, found: shape, wanted: factor.shape)
    }
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.format = format
    self.rows = isMatrix ? shape.extents[0] : 1
    self.columns = isMatrix ? shape.extents[1] : elementCount
    self.factors = factors.filter { $0.rank > 0 }
    corrections = factors.compactMap(\.correction)
  }

  public var elementCount: Int { rows * columns }

  /// Whether there is no batch; the sum of some batches may still be zero.
  public var isEmpty: Bool { factors.isEmpty && corrections.isEmpty }

  var hasCorrection: Bool { !corrections.isEmpty }

  /// Computes the change of the stored elements `elements` (row-major indices), a rectangle at a time: one that stays
  /// in the processor's cache, and of enough rows that converting the columns' factors takes little of the time.
  ///
  /// - Parameter body: is called with the change of runs of elements, each part of one row. Runs of a row come in
  ///   order.
  package func forEachRun(
    of elements: Range<Int>, _ body: (_ run: Range<Int>, _ delta: UnsafePointer<Double>) throws -> Void
  ) rethrows {
    guard !elements.isEmpty else { return }
    try withUnsafeTemporaryAllocation(of: Double.self, capacity: Self.rectangleSize) { buffer in
      let delta = buffer.baseAddress!
      var position = elements.lowerBound
      while position < elements.upperBound {
        // The rest of a row, or some whole rows.
        let (row, column) = position.quotientAndRemainder(dividingBy: columns)
        let left = elements.upperBound - position
        let wholeRows = column == 0 ? min(left / columns, Self.mostRows) : 0
        let rowCount = max(wholeRows, 1)
        let end = wholeRows > 0 ? columns : min(column + left, columns)
        let widest = Self.rectangleSize / rowCount / Self.columnUnit * Self.columnUnit
        for start in stride(from: column, to: end, by: widest) {
          let width = min(widest, end - start)
          delta.update(repeating: 0, count: rowCount * width)
          for factor in factors {
            factor.accumulate(rows: row..<row + rowCount, columns: start..<start + width, into: delta)
          }
          for index in 0..<rowCount {
            let first = (row + index) * columns + start
            try body(first..<first + width, delta + index * width)
          }
        }
        position += rowCount * (end - column)
      }
    }
  }

  /// 120 KiB of changes: 480 columns of 32 rows, 192 of 80.
  private static let rectangleSize = 15360
  private static let mostRows = 128
  /// The columns of the kernel's tiles.
  private static let columnUnit = 48
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
