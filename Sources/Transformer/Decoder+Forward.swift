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
  ///   - tokens: each row's token, of which some families take more than its embedding.
  ///   - positions: each row's position in its sequence.
  ///   - store: keys and values of rows of earlier passes, which `plan` may refer to as kept.
  ///   - appending: whether this pass's keys and values are appended to `store`.
  ///   - shared: keys and values of these rows at layers before `layers` that some of those take; gets those that this
  ///     pass makes for others.
  ///   - tape: records what `backward` needs; made for this plan and these layers.
  ///   - observe: called in order of layer; what it throws ends the pass.
  public func forward(
    _ hidden: inout Matrix<Float>, plan: AttentionPlan, tokens: [Int32], positions: [Int32], layers: Range<Int>,
    end: End = .output, store: KeyValueStore? = nil, appending: Bool = false, shared: SharedKeyValues? = nil,
    tape: Tape? = nil, observe: ((Observation) throws -> Void)? = nil
  ) throws {
    let rows = plan.rowCount
    precondition(hidden.rows == rows && tokens.count == rows && positions.count == rows)
    guard rows > 0 else { return }
    let shared = shared ?? SharedKeyValues(architecture)
    precondition(shared.serve(layers, of: architecture), "a layer takes keys and values from one that is not run")
    let inputs = try PerLayerInputs(self, tokens: tokens)
    let workspace = ForwardWorkspace(architecture, rows: rows, shared: shared)
    let untaped = tape == nil ? BlockRecord(architecture, layers: layers, rows: rows, isTaped: false) : nil
    for layer in layers {
      let block = try self.block(layer)
      let record = untaped ?? tape!.records[layer - tape!.layers.lowerBound]
      let isParallel = architecture.residual == .parallel
      withKept(store, layer) { kept in
        let pass = Block.Pass(layer: layer, plan: plan, positions: positions, kept: kept)
        hidden.withUnsafeMutablePointer { stream in
          block.normalize(
            stream, block.enteringNormalization, rows: rows, record.entering, record,
            scratch: workspace.normalized.base)
          if isParallel { block.forwardKeys(stream, rows: rows, record, workspace) }
          block.forwardAttention(stream, pass, record, workspace)
          block.normalize(
            stream, block.middleNormalization, rows: rows, record.beforeMiddle, record,
            scratch: workspace.normalized.base)
          if !isParallel { block.forwardKeys(stream, rows: rows, record, workspace) }
        }
      }
      if appending {
        store?.append(record.packed.base, rows: rows, stride: block.heads.packedSize, layer: layer)
      }
      try observe?(.keys(layer: layer, workspace.key))
      if layer == layers.last, end == .keys { break }
      let ownInputs = try inputs?.values(layer: layer)
      hidden.withUnsafeMutablePointer { stream in
        block.forwardDown(stream, rows: rows, record, workspace)
        block.forwardEnd(stream, rows: rows, inputs: ownInputs, record, scratch: workspace.normalized.base)
      }
      try observe?(.output(layer: layer, hidden))
    }
    if appending { store?.advance(by: rows) }
  }

  /// Turns the gradient with respect to the output of the tape's last layer into the gradient with respect to the input
  /// of its first, in place of `gradient` (rows x hidden size). Weights and kept rows are constants.
  ///
  /// - Parameters:
  ///   - positions, store: as `forward` had them.
  ///   - tape: what `forward` recorded.
  public func backward(
    _ gradient: inout Matrix<Float>, positions: [Int32], store: KeyValueStore?, tape: Tape
  ) throws {
    let rows = tape.plan.rowCount
    precondition(gradient.rows == rows)
    guard rows > 0 else { return }
    let workspace = BackwardWorkspace(architecture, rows: rows)
    for layer in tape.layers.reversed() {
      let block = try self.block(layer)
      let record = tape.records[layer - tape.layers.lowerBound]
      withKept(store, layer) { kept in
        let pass = Block.Pass(layer: layer, plan: tape.plan, positions: positions, kept: kept)
        gradient.withUnsafeMutablePointer { dStream in
          let scratch = workspace.dNormalized.base
          block.backwardEnd(dStream, rows: rows, record, scratch: scratch)
          // In parallel, attention's output has the gradient from before the perceptron adds to it.
          let isParallel = architecture.residual == .parallel
          if isParallel { block.backwardAttentionOutput(dStream, rows: rows, record, workspace) }
          block.backwardPerceptron(dStream, rows: rows, record, workspace)
          block.normalizeBackward(
            dStream, block.middleNormalization, rows: rows, record.beforeMiddle, scratch: scratch)
          if !isParallel { block.backwardAttentionOutput(dStream, rows: rows, record, workspace) }
          block.backwardAttention(dStream, pass, record, workspace)
          block.normalizeBackward(
            dStream, block.enteringNormalization, rows: rows, record.entering, scratch: scratch)
        }
      }
    }
  }

  private func withKept(_ store: KeyValueStore?, _ layer: Int, _ body: (UnsafePointer<Float>?) -> Void) {
    guard let store else { return body(nil) }
    store.rows[layer - store.layers.lowerBound].withUnsafeBufferPointer { body($0.baseAddress) }
  }
}

extension Architecture {
  /// The bytes that a forward pass takes per row: the residual stream and its buffers.
  public var forwardByteCountPerRow: Int {
    let counts = BlockRecord.largestFloatCountsPerRow(self, layers: layers.indices, isTaped: false)
    return 4 * (2 * hiddenSize + largestQuerySize + largestIntermediateSize + counts.reduce(0, +))
  }
}
