import Tensors

/// The gradient of `function` at `point` by central differences, in binary64.
func numericalGradient(at point: [Double], of function: ([Double]) -> Double) -> [Double] {
  let step = 1e-4
  var moved = point
  return point.indices.map { index in
    moved[index] = point[index] + step
    let above = function(moved)
    moved[index] = point[index] - step
    let below = function(moved)
    moved[index] = point[index]
    return (above - below) / (2 * step)
  }
}

/// sum_i a_i b_i
func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

extension [Double] {
  var single: [Float] { map { Float($0) } }
}

extension [Float] {
  var double: [Double] { map { Double($0) } }
}

/// `count` floats that `body` writes over `initial`.
func filled(_ count: Int, initial: Float = .nan, _ body: (UnsafeMutablePointer<Float>) -> Void) -> [Float] {
  var result = [Float](repeating: initial, count: count)
  result.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
  return result
}
