import ArgumentParser
import COpenBLAS
import LinearAlgebra
import Tensors
import ToolSupport

/// The rate that everything is held against: square products through the same OpenBLAS and threads as the tools use.
struct MeasureMachine: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "machine", abstract: "Measures the machine's float32 and binary64 products.")

  @Option(help: "The matrices' extent.")
  var size = 2048

  func run() throws {
    let single = Matrix<Float>(rows: size, columns: size, repeating: 0.5)
    let double = Matrix<Double>(rows: size / 2, columns: size / 2, repeating: 0.5)
    printJSON([
      "sgemm": .double(rate(size, runs: 5) { _ = single.multiplied(by: single) }),
      "dgemm": .double(rate(size / 2, runs: 3) { _ = double.multiplied(by: double) }),
      "threads": .integer(Threads.count), "kernels": JSON(String(cString: openblas_get_corename())),
      "own_kernels": JSON(KernelSet.used.rawValue),
    ])
  }

  /// GFLOP/s of the best run: the others shared the processor.
  private func rate(_ size: Int, runs: Int, _ product: () -> Void) -> Double {
    var best = Double.infinity
    for _ in 0..<runs { best = min(best, seconds(product)) }
    return 2e-9 * Double(size * size * size) / best
  }
}

func seconds(_ body: () throws -> Void) rethrows -> Double {
  let clock = ContinuousClock()
  let elapsed = try clock.measure(body).components
  return Double(elapsed.seconds) + 1e-18 * Double(elapsed.attoseconds)
}
