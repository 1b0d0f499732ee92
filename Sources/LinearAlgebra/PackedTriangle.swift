import COpenBLAS
import Tensors

/// The lower triangle of a square binary64 matrix, which stands for a symmetric or a triangular one, in half of the
/// square's memory.
///
/// LAPACK's rectangular full packed format (TRANSR = N, UPLO = L): column-major, the first half of the columns as they
/// are, the rest transposed into the room above them. All three blocks are ordinary matrices, so that products and
/// factorizations are as fast as on a square.
public struct PackedTriangle: Sendable {
  public let size: Int
  /// `size * (size + 1) / 2` of them, as one row, in the format's order.
  public private(set) var elements: Matrix<Double>

  /// A triangle of zeros.
  public init(size: Int) {
    self.init(size: size, elements: Matrix(rows: 1, columns: Self.count(size)))
  }

  /// - Parameter elements: as `elements` has them.
  public init(size: Int, elements: consuming Matrix<Double>) {
    precondition(elements.rows == 1 && elements.columns == Self.count(size))
    self.size = size
    self.elements = elements
  }

  /// Reads the lower triangle of `matrix`.
  public init(lowerTriangleOf matrix: Matrix<Double>) {
    precondition(matrix.rows == matrix.columns)
    self.init(size: matrix.rows)
    for row in 0..<size {
      for column in 0...row { self[row, column] = matrix[row, column] }
    }
  }

  /// The number of elements of a triangle.
  public static func count(_ size: Int) -> Int { size * (size + 1) / 2 }

  public var byteCount: Int { elements.count * 8 }

  private var isOdd: Int { size % 2 }
  /// The number of columns that stay as they are.
  private var split: Int { (size + 1) / 2 }
  /// The distance between columns.
  private var stride: Int { size + 1 - isOdd }

  private func index(_ row: Int, _ column: Int) -> Int {
    assert(column >= 0 && column <= row && row < size)
    return column < split
      ? row + 1 - isOdd + column * stride : column - split + (row - split + isOdd) * stride
  }

  /// - Precondition: `column <= row`.
  public subscript(row: Int, column: Int) -> Double {
    get { elements[0, index(row, column)] }
    set { elements[0, index(row, column)] = newValue }
  }

  public var diagonal: [Double] { (0..<size).map { self[$0, $0] } }

  /// The three blocks of `[first, below^T; below, second]`, column-major with the same distance between columns:
  /// `first` in its lower triangle, `second` in its upper one.
  struct Blocks {
    let first: UnsafeMutablePointer<Double>
    /// `secondSize` x `firstSize`
    let below: UnsafeMutablePointer<Double>
    let second: UnsafeMutablePointer<Double>
    let firstSize: Int32
    let secondSize: Int32
    let stride: Int32
  }

  /// Calls `body` with the blocks, which it only reads.
  func withBlocks<Result>(_ body: (Blocks) -> Result) -> Result {
    elements.withUnsafePointer { pointer in
      let start = UnsafeMutablePointer(mutating: pointer)
      return body(
        Blocks(
          first: start + 1 - isOdd, below: start + 1 - isOdd + split, second: start + isOdd * stride,
          firstSize: Int32(split), secondSize: Int32(size - split), stride: Int32(stride)))
    }
  }

  mutating func withUnsafeMutablePointer<Result>(_ body: (UnsafeMutablePointer<Double>) -> Result) -> Result {
    elements.withUnsafeMutablePointer(body)
  }
}

// MARK: - Of a symmetric matrix

extension PackedTriangle {
  /// Some rows of the symmetric matrix, whole.
  public func rows(_ range: Range<Int>) -> Matrix<Double> {
    var result = Matrix<Double>(uninitializedRows: range.count, columns: size)
    for column in 0..<size {
      // Neighbours in a column of the triangle are neighbours in memory.
      for row in range { result[row - range.lowerBound, column] = self[max(row, column), min(row, column)] }
    }
    return result
  }

  /// Calls `row` for each row of the symmetric matrix, in parallel, to set the columns of a range of it.
  public mutating func setRows(_ row: @Sendable (Int, Range<Int>, UnsafeMutablePointer<Double>) -> Void) {
    let (size, split, stride, isOdd) = (size, split, stride, isOdd)
    withUnsafeMutablePointer { pointer in
      let start = Shared(pointer)
      Threads.forRanges(size, grain: max(1, (1 << 16) / max(size, 1))) { range in
        for index in range {
          if index < split {
            row(index, index..<size, start.pointer + index + 1 - isOdd + index * stride)
          } else {
            row(index, split..<index + 1, start.pointer + (index - split + isOdd) * stride)
          }
        }
      }
    }
  }

  public mutating func add(toDiagonal value: Double) {
    for index in 0..<size { self[index, index] += value }
  }

  /// Adds `other` times `factor`.
  public mutating func add(_ other: PackedTriangle, times factor: Double) {
    precondition(size == other.size)
    let count = elements.count
    withUnsafeMutablePointer { target in
      other.elements.withUnsafePointer { source in
        for index in 0..<count { target[index] += factor * source[index] }
      }
    }
  }

  /// Adds `K^T K`, for the rows of `keys` (count x size, row-major).
  public mutating func addOuterProducts(ofRows keys: UnsafePointer<Double>, count: Int) {
    guard count > 0, size > 0 else { return }
    var (order, inner, one) = (Int32(size), Int32(count), 1.0)
    let operations = (size + 1) * size * count
    withUnsafeMutablePointer { c in
      BLAS.run("outer products", operations: operations) {
        dsfrk_("N", "L", "N", &order, &inner, &one, keys, &order, &one, c, 1, 1, 1)
      }
    }
  }

  /// The product of `left` (any number of rows) and the symmetric matrix.
  public func product(ofRows left: Matrix<Double>) -> Matrix<Double> {
    precondition(left.columns == size)
    var result = Matrix<Double>(rows: left.rows, columns: size)
    guard result.count > 0 else { return result }
    let (rows, columns) = (left.rows, size)
    withBlocks { m in
      left.withUnsafePointer { x in
        result.withUnsafeMutablePointer { y in
          BLAS.run("binary64 products", operations: 2 * rows * columns * columns) {
            // Row-major: [x1 x2] [first, below^T; below, second], where each block is the transpose of what it is
            // column-major.
            let (n, width) = (Int32(rows), Int32(columns))
            let (x2, y2) = (x + Int(m.firstSize), y + Int(m.firstSize))
            cblas_dsymm(
              CblasRowMajor, CblasRight, CblasUpper, n, m.firstSize, 1, m.first, m.stride, x, width, 0, y, width)
            guard m.secondSize > 0 else { return }
            cblas_dgemm(
              CblasRowMajor, CblasNoTrans, CblasTrans, n, m.firstSize, m.secondSize, 1, x2, width, m.below, m.stride,
              1, y, width)
            cblas_dsymm(
              CblasRowMajor, CblasRight, CblasLower, n, m.secondSize, 1, m.second, m.stride, x2, width, 0, y2, width)
            cblas_dgemm(
              CblasRowMajor, CblasNoTrans, CblasNoTrans, n, m.secondSize, m.firstSize, 1, x, width, m.below, m.stride,
              1, y2, width)
          }
        }
      }
    }
    return result
  }

  /// The largest sum of the absolute values of a column of the symmetric matrix.
  public var oneNorm: Double {
    var sums = [Double](repeating: 0, count: size)
    for column in 0..<size {
      sums[column] += abs(self[column, column])
      for row in column + 1..<max(size, column + 1) {
        let value = abs(self[row, column])
        sums[row] += value
        sums[column] += value
      }
    }
    return sums.max() ?? 0
  }
}
