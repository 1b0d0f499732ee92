/// Adam (Kingma and Ba 2015) on one vector, in float32 and in the order of operations of PyTorch, which the published
/// searches use.
struct AdamOptimizer {
  private static let firstDecay = 0.9
  private static let secondDecay = 0.999
  private static let epsilon: Float = 1e-8
  private let learningRate: Double
  private var firstMoment: [Float]
  private var secondMoment: [Float]
  private var step = 0

  init(count: Int, learningRate: Double) {
    self.learningRate = learningRate
    firstMoment = Array(repeating: 0, count: count)
    secondMoment = Array(repeating: 0, count: count)
  }

  mutating func update(_ vector: inout [Float], gradient: [Float]) {
    step += 1
    let stepSize = Float(learningRate / (1 - power(Self.firstDecay, step)))
    let correction = Float((1 - power(Self.secondDecay, step)).squareRoot())
    for index in vector.indices {
      let slope = gradient[index]
      firstMoment[index] += Float(1 - Self.firstDecay) * (slope - firstMoment[index])
      secondMoment[index] = Float(Self.secondDecay) * secondMoment[index] + Float(1 - Self.secondDecay) * slope * slope
      let denominator = secondMoment[index].squareRoot() / correction + Self.epsilon
      vector[index] -= stepSize * firstMoment[index] / denominator
    }
  }

  private func power(_ base: Double, _ exponent: Int) -> Double {
    (0..<exponent).reduce(1.0) { result, _ in result * base }
  }
}
