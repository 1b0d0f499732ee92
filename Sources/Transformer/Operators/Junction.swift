import Tensors

/// How a branch's output joins the residual stream: stream += scale norm(output).
struct Junction {
  /// Gemma 2 and others.
  let normalization: Normalization?
  /// Granite.
  let scale: Float

  /// Whether the output is added as it is, so that the map itself can add it.
  var isPlain: Bool { normalization == nil && scale == 1 }

  /// stream += scale norm(map(x)).
  ///
  /// - Parameters:
  ///   - stream: rows x hidden size.
  ///   - output: gets map(x) for `backward` unless the junction is plain; rows x hidden size.
  ///   - scratch: rows x hidden size, overwritten.
  func forward(
    _ x: UnsafePointer<Float>, through map: Linear, rows: Int, into stream: UnsafeMutablePointer<Float>,
    output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    guard !isPlain else { return map.forward(x, rows: rows, into: stream, accumulate: true) }
    map.forward(x, rows: rows, into: output)
    add(output, count: rows * map.outputSize, rows: rows, to: stream, scratch: scratch)
  }

  /// stream += scale norm(output).
  func add(
    _ output: UnsafePointer<Float>, count: Int, rows: Int, to stream: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    normalization?.forward(output, rows: rows, into: scratch)
    let joined = normalization == nil ? output : UnsafePointer(scratch)
    for index in 0..<count { stream[index] += scale * joined[index] }
  }

  /// The gradient with respect to x, from the one with respect to the stream.
  ///
  /// - Parameters:
  ///   - output: as `forward` recorded it.
  ///   - scratch: rows x hidden size, overwritten.
  func backward(
    _ dStream: UnsafePointer<Float>, through map: Linear, output: UnsafePointer<Float>, rows: Int,
    into dX: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    guard !isPlain else { return map.backward(dStream, rows: rows, into: dX) }
    outputGradient(dStream, output: output, count: rows * map.outputSize, rows: rows, into: scratch)
    map.backward(scratch, rows: rows, into: dX)
  }

  /// The gradient with respect to the branch's output.
  func outputGradient(
    _ dStream: UnsafePointer<Float>, output: UnsafePointer<Float>, count: Int, rows: Int,
    into dOutput: UnsafeMutablePointer<Float>
  ) {
    if let normalization {
      dOutput.update(repeating: 0, count: count)
      normalization.backward(output, dStream, rows: rows, addingInto: dOutput)
      if scale != 1 { for index in 0..<count { dOutput[index] *= scale } }
    } else {
      for index in 0..<count { dOutput[index] = scale * dStream[index] }
    }
  }
}
