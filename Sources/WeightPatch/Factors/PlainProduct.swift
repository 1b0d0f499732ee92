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
/// Every element is summed in ascending order of the inner index, so the result does not depend on the threads. About
/// 2 to 4 GFLOP/s per core.
public func plainProduct(_ left: Matrix<Double>, _ right: Matrix<Double>) -> Matrix<Double> {
  precondition(left.columns == right.rows, "the inner extents differ")
  var result = Matrix<Double>(rows: left.rows, columns: right.columns)
  let (rows, inner, columns) = (left.rows, left.columns, right.columns)
  left.withUnsafePointer { left in
    right.withUnsafePointer { right in
      result.withUnsafeMutablePointer { result in
        nonisolated(unsafe) let (left, right, result) = (left, right, result)
        // Four rows at a time share each row of the right matrix that is fetched from memory.
        Threads.forEach((rows + 3) / 4) { strip in
          let strip = strip * 4..<min(strip * 4 + 4, rows)
          // Columns in blocks, so that the strip's results stay in the first-level cache.
          for block in stride(from: 0, to: columns, by: 512) {
            let count = min(512, columns - block)
            for index in 0..<inner {
              for row in strip {
                addScaled(
                  right + index * columns + block, left[row * inner + index], to: result + row * columns + block, count)
              }
            }
          }
        }
      }
    }
  }
  return result
}

@inline(__always)
private func addScaled(
  _ source: UnsafePointer<Double>, _ scale: Double, to destination: UnsafeMutablePointer<Double>, _ count: Int
) {
  for index in 0..<count { destination[index] += scale * source[index] }
}
