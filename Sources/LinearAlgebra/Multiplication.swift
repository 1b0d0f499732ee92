import COpenBLAS
import Tensors

extension Orientation {
  var cblas: CBLAS_TRANSPOSE { self == .asStored ? CblasNoTrans : CblasTrans }
}

/// C = A B + beta C in float32, on row-major operands given by pointer and row stride.
///
/// - Parameters:
///   - rows: rows of C.
///   - columns: columns of C.
///   - inner: columns of A (as oriented).
///   - a: `rows` x `inner` as oriented, stored with row stride `aStride`.
///   - b: `inner` x `columns` as oriented, stored with row stride `bStride`.
///   - c: `rows` x `columns`, row stride `cStride`.
///
/// The work is split over columns, or over rows if there are more of them; each element is one BLAS inner product.
public func multiply(
  rows: Int, columns: Int, inner: Int,
  _ a: UnsafePointer<Float>, _ aStride: Int, _ aOrientation: Orientation = .asStored,
  _ b: UnsafePointer<Float>, _ bStride: Int, _ bOrientation: Orientation = .asStored,
  into c: UnsafeMutablePointer<Float>, _ cStride: Int, beta: Float = 0
) {
  guard rows > 0, columns > 0 else { return }
  guard inner > 0 else {
    // BLAS leaves C as it is, or refuses a row stride of zero.
    for row in 0..<rows {
      for column in 0..<columns { c[row * cStride + column] = beta == 0 ? 0 : beta * c[row * cStride + column] }
    }
    return
  }
  Profile.measure("matrix products") {
    Profile.count(operations: 2 * rows * columns * inner)
    let (a, b, c) = (Shared(a), Shared(b), Shared(c))
    let columnsLead = columns >= rows
    Threads.forShares(columnsLead ? columns : rows, cost: (columnsLead ? rows : columns) * inner) { share in
      let (rowStart, rowCount) = columnsLead ? (0, rows) : (share.lowerBound, share.count)
      let (columnStart, columnCount) = columnsLead ? (share.lowerBound, share.count) : (0, columns)
      let aStart = a.pointer + (aOrientation == .asStored ? rowStart * aStride : rowStart)
      let bStart = b.pointer + (bOrientation == .asStored ? columnStart : columnStart * bStride)
      multiplySerially(
        rows: rowCount, columns: columnCount, inner: inner, aStart, aStride, aOrientation, bStart, bStride,
        bOrientation,
        into: c.pointer + rowStart * cStride + columnStart, cStride, beta: beta)
    }
  }
}

/// The same product by the calling thread alone: a share of one that several threads compute. Not profiled.
///
/// - Precondition: no extent is zero.
public func multiplySerially(
  rows: Int, columns: Int, inner: Int,
  _ a: UnsafePointer<Float>, _ aStride: Int, _ aOrientation: Orientation = .asStored,
  _ b: UnsafePointer<Float>, _ bStride: Int, _ bOrientation: Orientation = .asStored,
  into c: UnsafeMutablePointer<Float>, _ cStride: Int, beta: Float = 0
) {
  BLAS.useOneThread()
  if rows == 1, aOrientation == .asStored {
    // One row (generation): a matrix-vector product is five times as fast as a product with one row.
    let (storedRows, storedColumns) = bOrientation == .asStored ? (inner, columns) : (columns, inner)
    cblas_sgemv(
      CblasRowMajor, bOrientation == .asStored ? CblasTrans : CblasNoTrans, Int32(storedRows), Int32(storedColumns), 1,
      b, Int32(bStride), a, 1, beta, c, 1)
    return
  }
  cblas_sgemm(
    CblasRowMajor, aOrientation.cblas, bOrientation.cblas, Int32(rows), Int32(columns), Int32(inner), 1, a,
    Int32(aStride), b, Int32(bStride), beta, c, Int32(cStride))
}

extension Matrix where Element == Float {
  /// The product of this matrix, as oriented, and `other`, as oriented.
  public func multiplied(
    _ orientation: Orientation = .asStored, by other: Matrix<Float>, _ otherOrientation: Orientation = .asStored
  ) -> Matrix<Float> {
    let (resultRows, inner) = orientation == .asStored ? (rows, columns) : (columns, rows)
    let (otherInner, resultColumns) =
      otherOrientation == .asStored ? (other.rows, other.columns) : (other.columns, other.rows)
    precondition(inner == otherInner, "inner extents of a product differ: \(inner) and \(otherInner)")
    var result = Matrix(uninitializedRows: resultRows, columns: resultColumns)
    withUnsafePointer { a in
      other.withUnsafePointer { b in
        result.withUnsafeMutablePointer { c in
          multiply(
            rows: resultRows, columns: resultColumns, inner: inner, a, columns, orientation, b, other.columns,
            otherOrientation, into: c, resultColumns)
        }
      }
    }
    return result
  }
}

extension Matrix where Element == Double {
  /// The product of this matrix, as oriented, and `other`, as oriented, on BLAS's threads.
  public func multiplied(
    _ orientation: Orientation = .asStored, by other: Matrix<Double>, _ otherOrientation: Orientation = .asStored
  ) -> Matrix<Double> {
    let (resultRows, inner) = orientation == .asStored ? (rows, columns) : (columns, rows)
    let (otherInner, resultColumns) =
      otherOrientation == .asStored ? (other.rows, other.columns) : (other.columns, other.rows)
    precondition(inner == otherInner, "inner extents of a product differ: \(inner) and \(otherInner)")
    var result = Matrix(rows: resultRows, columns: resultColumns)
    guard result.count > 0, inner > 0 else { return result }
    withUnsafePointer { a in
      other.withUnsafePointer { b in
        result.withUnsafeMutablePointer { c in
          BLAS.run("binary64 products", operations: 2 * resultRows * resultColumns * inner) {
            cblas_dgemm(
              CblasRowMajor, orientation.cblas, otherOrientation.cblas, Int32(resultRows), Int32(resultColumns),
              Int32(inner), 1, a, Int32(columns), b, Int32(other.columns), 0, c, Int32(resultColumns))
          }
        }
      }
    }
    return result
  }

  /// The Frobenius norm.
  public var frobeniusNorm: Double {
    BLAS.useOneThread()
    return withUnsafePointer { cblas_dnrm2(Int32(count), $0, 1) }
  }
}

extension MatrixProduct {
  /// On BLAS's threads.
  public static let blas = MatrixProduct { $0.multiplied($1, by: $2, $3) }
}
