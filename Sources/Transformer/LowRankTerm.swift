import LinearAlgebra
import Tensors

/// A low-rank change that stands beside a linear map's weights, in float32: y += left (right x).
package struct LowRankTerm: Sendable {
  /// d_out x r.
  package let left: Matrix<Float>
  /// r x d_in.
  package let right: Matrix<Float>

  package init(left: Matrix<Float>, right: Matrix<Float>) {
    precondition(left.columns == right.rows)
    self.left = left
    self.right = right
  }
}

/// What a computation puts in the place of a checkpoint's weights, and beside them.
struct WeightChanges: Sendable {
  /// Bytes, as stored, that stand in for those of tensors.
  var replacements: [ByteString: [UInt8]] = [:]
  /// By tensor.
  var terms: [ByteString: [LowRankTerm]] = [:]
}

/// A term at some of a map's outputs: maps that are stored apart may be computed as one.
struct PlacedTerm: Sendable {
  let term: LowRankTerm
  /// The first of the outputs.
  let offset: Int

  /// `y` (rows x `outputs`) += `x` (rows x in) right^T left^T.
  func forward(_ x: UnsafePointer<Float>, rows: Int, into y: UnsafeMutablePointer<Float>, outputs: Int) {
    let (left, right) = (term.left, term.right)
    guard rows > 0, right.rows > 0 else { return }
    var inner = Matrix<Float>(uninitializedRows: rows, columns: right.rows)
    inner.withUnsafeMutablePointer { inner in
      right.withUnsafePointer {
        multiplySerially(
          rows: rows, columns: right.rows, inner: right.columns, x, right.columns, .asStored, $0, right.columns,
          .transposed,
          into: inner, right.rows)
      }
      left.withUnsafePointer {
        multiplySerially(
          rows: rows, columns: left.rows, inner: left.columns, inner, left.columns, .asStored, $0, left.columns,
          .transposed, into: y + offset, outputs, beta: 1)
      }
    }
  }

  /// `dX` (rows x in) += `dY` (rows x `outputs`) left right.
  func backward(_ dY: UnsafePointer<Float>, rows: Int, into dX: UnsafeMutablePointer<Float>, outputs: Int) {
    let (left, right) = (term.left, term.right)
    guard rows > 0, right.rows > 0 else { return }
    var inner = Matrix<Float>(uninitializedRows: rows, columns: right.rows)
    inner.withUnsafeMutablePointer { inner in
      left.withUnsafePointer {
        multiplySerially(
          rows: rows, columns: left.columns, inner: left.rows, dY + offset, outputs, .asStored, $0, left.columns,
          .asStored, into: inner, left.columns)
      }
      right.withUnsafePointer {
        multiplySerially(
          rows: rows, columns: right.columns, inner: right.rows, inner, right.rows, .asStored, $0, right.columns,
          .asStored, into: dX, right.columns, beta: 1)
      }
    }
  }
}
