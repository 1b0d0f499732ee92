/// How an operand of a product is stored.
public enum Orientation: Sendable {
  case asStored
  case transposed
}

/// How to multiply matrices where that is not a module's own matter: who can reach BLAS is faster by an order of
/// magnitude (`blas`) than who cannot (`plain`).
public struct MatrixProduct: Sendable {
  private let multiply: @Sendable (Matrix<Double>, Orientation, Matrix<Double>, Orientation) -> Matrix<Double>

  public init(
    _ multiply: @escaping @Sendable (Matrix<Double>, Orientation, Matrix<Double>, Orientation) -> Matrix<Double>
  ) {
    self.multiply = multiply
  }

  /// The product of two matrices, each as oriented.
  public func callAsFunction(
    _ left: Matrix<Double>, _ leftOrientation: Orientation = .asStored, by right: Matrix<Double>,
    _ rightOrientation: Orientation = .asStored
  ) -> Matrix<Double> {
    multiply(left, leftOrientation, right, rightOrientation)
  }
}
