import CKernels
import Tensors

extension MatrixProduct {
  /// Without BLAS (`plainProduct`).
  public static let plain = MatrixProduct { left, leftOrientation, right, rightOrientation in
    plainProduct(
      leftOrientation == .asStored ? left : left.transposed(),
      rightOrientation == .asStored ? right : right.transposed())
  }
}

/// The product of two matrices in binary64, without BLAS: this module cannot reach it, and what is computed here is
/// measured, not applied.
///
/// Every element is summed in ascending order of the inner index, each term rounded, so the result depends neither on
/// the threads nor on the processor. 10 to 20 GFLOP/s per core.
public func plainProduct(_ left: Matrix<Double>, _ right: Matrix<Double>) -> Matrix<Double> {
  precondition(left.columns == right.rows, "the inner extents differ")
  var result = Matrix<Double>(rows: left.rows, columns: right.columns)
  let (rows, inner, columns) = (left.rows, left.columns, right.columns)
  left.withUnsafePointer { left in
    right.withUnsafePointer { right in
      result.withUnsafeMutablePointer { result in
        let (left, right, result) = (Shared(left), Shared(right), Shared(result))
        Threads.forShares(rows, cost: inner * columns) { share in
          errata_add_product(
            left.pointer + share.lowerBound * inner, right.pointer, share.count, inner, columns,
            result.pointer + share.lowerBound * columns)
        }
      }
    }
  }
  return result
}
