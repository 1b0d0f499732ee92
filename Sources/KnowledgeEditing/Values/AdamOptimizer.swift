/// Adam (Kingma and Ba 2015) on one vector, in float32 and in the order of operations of PyTorch, which the published
/// searches use.
struct AdamOptimizer: Sendable {
  private static let firstDecay = 0.9
  private static let secondDecay = 0.999
  private static let epsilon: Float = 1e-8
  private let learningRate: Double
  private(set) var firstMoment: [Float]
  private(set) var secondMoment: [Float]
  /// How many updates there were.
  private(set) var step: Int

  init(count: Int, learningRate: Double) {
    let zeros = [Float](repeating: 0, count: count)
    self.init(learningRate: learningRate, firstMoment: zeros, secondMoment: zeros, step: 0)
  }

  /// As it was after some updates.
  init(learningRate: Double, firstMoment: [Float], secondMoment: [Float], step: Int) {
    self.learningRate = learningRate
    self.firstMoment = firstMoment
    self.secondMoment = secondMoment
    self.step = step
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
