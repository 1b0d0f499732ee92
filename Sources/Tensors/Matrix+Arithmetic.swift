extension Matrix where Element == Double {
  /// The Euclidean norm of every column.
  public func columnNorms() -> [Double] {
    var squares = [Double](repeating: 0, count: columns)
    withUnsafePointer { elements in
      for row in 0..<rows {
        for column in 0..<columns {
          let value = elements[row * columns + column]
          squares[column] += value * value
        }
      }
    }
    return squares.map { $0.squareRoot() }
  }

  /// The Euclidean norm of every row.
  public func rowNorms() -> [Double] {
    (0..<rows).map { row($0).reduce(0) { $0 + $1 * $1 }.squareRoot() }
  }

  /// The largest norm of a column, each as a share of its `norms`; a column whose norm there is zero does not count.
  package func largestColumn(inUnitsOf norms: [Double]) -> Double {
    largestRatio(of: columnNorms(), to: norms)
  }

  /// The same of the rows.
  package func largestRow(inUnitsOf norms: [Double]) -> Double { largestRatio(of: rowNorms(), to: norms) }

  private func largestRatio(of own: [Double], to norms: [Double]) -> Double {
    zip(own, norms).map { $1 > 0 ? $0 / $1 : 0 }.max() ?? 0
  }

  /// The element-wise difference.
  public func subtracting(_ other: Matrix<Double>) -> Matrix<Double> {
    precondition(rows == other.rows && columns == other.columns)
    var result = self
    result.withUnsafeMutablePointer { elements in
      other.withUnsafePointer { other in
        for index in 0..<rows * columns { elements[index] -= other[index] }
      }
    }
    return result
  }

  /// The sum of the products of elements that stand in the same place.
  package func elementwiseDot(_ other: Matrix<Double>) -> Double {
    precondition(rows == other.rows && columns == other.columns)
    var sum = 0.0
    withUnsafePointer { elements in
      other.withUnsafePointer { other in
        for index in 0..<rows * columns { sum += elements[index] * other[index] }
      }
    }
    return sum
  }
}
