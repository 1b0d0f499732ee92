import LinearAlgebra
import Tensors

extension Decoder {
  /// What a caller may look at while a pass runs.
  public enum Observation {
    /// The inputs of the down-projection at a layer, rows x intermediate size: the keys.
    case keys(layer: Int, Matrix<Float>)
    /// The residual stream leaving a layer.
    case output(layer: Int, Matrix<Float>)
  }

  /// How far a pass goes in its last layer.
  public enum End: Sendable {
    case output
    /// The keys are the last thing computed; `hidden` then holds the stream without the perceptron's output.
    case keys
  }

  /// Runs `layers` on the rows of `plan`, in place of `hidden` (rows x hidden size), the residual stream entering the
  /// first of them.
  ///
  /// - Parameters:
  ///   - positions: each row's position in its sequence.
  ///   - store: keys and values of rows of earlier passes, which `plan` may refer to as kept.
  ///   - appending: whether this pass's keys and values are appended to `store`.
  ///   - tape: records what `backward` needs; made for this plan and these layers.
  ///   - observe: called in order of layer; what it throws ends the pass.
  public func forward(
    _ hidden: inout Matrix<Float>, plan: AttentionPlan, positions: [Int32], layers: Range<Int>, end: End = .output,
    store: KeyValueStore? = nil, appending: Bool = false, tape: Tape? = nil,
    observe: ((Observation) throws -> Void)? = nil
  ) throws {
    let rows = plan.rowCount
    precondition(hidden.rows == rows && positions.count == rows)
    guard rows > 0 else { return }
    let workspace = ForwardWorkspace(architecture, rows: rows)
    for layer in layers {
      let weights = try self.layer(layer)
      let isLast = layer == layers.upperBound - 1
      let isParallel = architecture.residual == .parallel
      if isParallel { forwardKeys(hidden, weights, workspace, layer: layer, tape: tape) }
      forwardAttention(
        &hidden, weights, workspace, plan: plan, positions: positions, layer: layer, store: store,
        appending: appending, tape: tape)
      if !isParallel { forwardKeys(hidden, weights, workspace, layer: layer, tape: tape) }
      try observe?(.keys(layer: layer, workspace.key))
      if isLast, end == .keys { break }
      forwardDown(&hidden, weights, workspace, layer: layer, tape: tape)
      try observe?(.output(layer: layer, hidden))
    }
    if appending { store?.advance(by: rows) }
  }

  /// hidden += O attention(norm(hidden)), or the norm of that
  private func forwardAttention(
    _ hidden: inout Matrix<Float>, _ weights: LayerWeights, _ workspace: ForwardWorkspace, plan: AttentionPlan,
    positions: [Int32], layer: Int, store: KeyValueStore?, appending: Bool, tape: Tape?
  ) {
    let rows = plan.rowCount
    let record = tape.map { layer - $0.layers.lowerBound }
    let (stride, width) = (architecture.queryKeyValueSize, architecture.hiddenSize)
    hidden.withUnsafeMutablePointer { stream in
      if let tape, let record {
        tape.records[record].input.withUnsafeMutablePointer { $0.update(from: stream, count: rows * width) }
      }
      workspace.normalized.withUnsafeMutablePointer { normalized in
        weights.attentionNormalization.forward(stream, rows: rows, into: normalized)
        workspace.packed.withUnsafeMutablePointer { packed in
          weights.queryKeyValue.forward(normalized, rows: rows, into: packed)
          if let normalization = weights.headNormalization {
            let normalize = { (unnormalized: UnsafeMutablePointer<Float>) in
              normalization.forward(packed, stride: stride, rows: rows, recording: unnormalized)
            }
            if let tape, let record {
              tape.records[record].unnormalized.withUnsafeMutablePointer(normalize)
            } else {
              workspace.unnormalized.withUnsafeMutablePointer(normalize)
            }
          }
          // Queries and keys stand side by side, so one call rotates both.
          rotation?.forward(
            packed, stride: stride, rows: rows, heads: architecture.headCount + architecture.keyValueHeadCount,
            headSize: architecture.headSize, positions: positions)
          if let tape, let record {
            tape.records[record].packed.withUnsafeMutablePointer { $0.update(from: packed, count: rows * stride) }
          }
          if appending { store?.append(packed, rows: rows, stride: stride, layer: layer) }
          workspace.attended.withUnsafeMutablePointer { attended in
            let attend = { (probabilities: UnsafeMutablePointer<Float>?) in
              self.withKept(store, layer) { kept in
                self.attention.forward(
                  plan, packed: packed, kept: kept, window: weights.attentionWindow, into: attended,
                  probabilities: probabilities)
              }
            }
            if let tape, let record {
              tape.records[record].probabilities.withUnsafeMutablePointer { attend($0) }
            } else {
              attend(nil)
            }
            if let normalization = weights.attentionOutputNormalization {
              let branch = { (output: UnsafeMutablePointer<Float>) in
                weights.attentionOutput.forward(attended, rows: rows, into: output)
                normalization.add(output, rows: rows, to: stream, scratch: normalized)
              }
              if let tape, let record {
                tape.records[record].attentionOutput.withUnsafeMutablePointer(branch)
              } else {
                workspace.output.withUnsafeMutablePointer(branch)
              }
            } else {
              weights.attentionOutput.forward(attended, rows: rows, into: stream, accumulate: true)
            }
          }
        }
      }
    }
  }

  /// key = activation(up(norm(hidden)))
  private func forwardKeys(
    _ hidden: Matrix<Float>, _ weights: LayerWeights, _ workspace: ForwardWorkspace, layer: Int, tape: Tape?
  ) {
    let rows = hidden.rows
    let record = tape.map { layer - $0.layers.lowerBound }
    hidden.withUnsafePointer { stream in
      if let tape, let record {
        tape.records[record].middle.withUnsafeMutablePointer { $0.update(from: stream, count: hidden.count) }
      }
      workspace.normalized.withUnsafeMutablePointer { normalized in
        weights.perceptronNormalization.forward(stream, rows: rows, into: normalized)
        let activate = { (up: UnsafeMutablePointer<Float>) in
          weights.up.forward(normalized, rows: rows, into: up)
          workspace.key.withUnsafeMutablePointer { self.perceptron.forward(up, rows: rows, into: $0) }
        }
        if let tape, let record {
          tape.records[record].up.withUnsafeMutablePointer(activate)
        } else {
          workspace.up.withUnsafeMutablePointer(activate)
        }
      }
    }
  }

  /// hidden += down(key), or the norm of that
  private func forwardDown(
    _ hidden: inout Matrix<Float>, _ weights: LayerWeights, _ workspace: ForwardWorkspace, layer: Int, tape: Tape?
  ) {
    let rows = hidden.rows
    hidden.withUnsafeMutablePointer { stream in
      workspace.key.withUnsafePointer { key in
        guard let normalization = weights.downNormalization else {
          return weights.down.forward(key, rows: rows, into: stream, accumulate: true)
        }
        let branch = { (output: UnsafeMutablePointer<Float>) in
          weights.down.forward(key, rows: rows, into: output)
          workspace.normalized.withUnsafeMutablePointer {
            normalization.add(output, rows: rows, to: stream, scratch: $0)
          }
        }
        if let tape {
          tape.records[layer - tape.layers.lowerBound].downOutput.withUnsafeMutablePointer(branch)
        } else {
          workspace.output.withUnsafeMutablePointer(branch)
        }
      }
    }
  }

  func withKept<Result>(
    _ store: KeyValueStore?, _ layer: Int, _ body: (UnsafePointer<Float>?) -> Result
  ) -> Result {
    guard let store else { return body(nil) }
    return store.rows[layer - store.layers.lowerBound].withUnsafeBufferPointer { body($0.baseAddress) }
  }
}

extension Architecture {
  /// The bytes that a forward pass takes per row: the residual stream and its buffers.
  public var forwardByteCountPerRow: Int {
    4
      * (2 * hiddenSize + queryKeyValueSize + unnormalizedSize + querySize + normalizedOutputSize + upSize
        + intermediateSize)
  }
}

/// The buffers of a forward pass, reused from layer to layer.
private final class ForwardWorkspace {
  var normalized: Matrix<Float>
  var packed: Matrix<Float>
  /// Queries and keys before their normalization; without columns if they are not normalized.
  var unnormalized: Matrix<Float>
  var attended: Matrix<Float>
  /// A branch's output before its normalization; without columns if it is not normalized.
  var output: Matrix<Float>
  var up: Matrix<Float>
  var key: Matrix<Float>

  init(_ architecture: Architecture, rows: Int) {
    normalized = Matrix(uninitializedRows: rows, columns: architecture.hiddenSize)
    packed = Matrix(uninitializedRows: rows, columns: architecture.queryKeyValueSize)
    unnormalized = Matrix(uninitializedRows: rows, columns: architecture.unnormalizedSize)
    attended = Matrix(uninitializedRows: rows, columns: architecture.querySize)
    output = Matrix(uninitializedRows: rows, columns: architecture.normalizedOutputSize)
    up = Matrix(uninitializedRows: rows, columns: architecture.upSize)
    key = Matrix(uninitializedRows: rows, columns: architecture.intermediateSize)
  }
}
