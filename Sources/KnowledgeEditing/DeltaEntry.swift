import Tensors
import Transformer

/// Where the deltas of a value search enter the residual stream: at the output of the edited block, or, if the block
/// normalizes what its down-projection gives, at the down-projection's output, so that a value is one that it can give.
struct DeltaEntry {
  /// The residual stream after the edited layer without deltas, all rows of the tree.
  let stream: Matrix<Float>
  /// The keys at the edited layer of the rows that were asked for.
  let keys: Matrix<Float>
  private let decoder: Decoder
  private let layer: Int
  private let normalized: Normalized?

  private struct Normalized {
    /// The residual stream without what the down-projection adds.
    let rest: Matrix<Float>
    let downOutputs: Matrix<Float>
  }

  /// Runs the layers up to the edited one.
  ///
  /// - Parameter keyRows: the rows of the tree whose keys at the edited layer are wanted.
  init(_ decoder: Decoder, tree: TokenTree, layer: Int, keyRows: [Int]) throws {
    self.decoder = decoder
    self.layer = layer
    let normalizes = decoder.architecture.normalizesDownOutput
    var hidden = try decoder.embed(tokens: tree.tokens, positions: tree.positions)
    var keysOfRows: Matrix<Float>?
    var downOutputs: Matrix<Float>?
    try decoder.forward(
      &hidden, plan: AttentionPlan(tree), positions: tree.positions, layers: 0..<layer + 1,
      end: normalizes ? .keys : .output
    ) { observation in
      guard case .keys(layer, let keys) = observation else { return }
      keysOfRows = keys.rows(at: keyRows)
      if normalizes { downOutputs = try decoder.perceptronOutput(ofKeys: keys, layer: layer) }
    }
    keys = keysOfRows!
    normalized = downOutputs.map { Normalized(rest: hidden, downOutputs: $0) }
    if let downOutputs { try decoder.add(downOutputs: downOutputs, layer: layer, to: &hidden) }
    stream = hidden
  }

  /// What deltas at some rows are added to.
  func values(at rows: [Int]) -> Matrix<Float> { (normalized?.downOutputs ?? stream).rows(at: rows) }

  /// Adds `delta` at rows of `hidden` that are the rows `treeRows` of the tree.
  func add(_ delta: [Float], to hidden: inout Matrix<Float>, rows: [Int], treeRows: [Int]) throws {
    let size = hidden.columns
    guard let normalized else {
      hidden.withUnsafeMutablePointer { elements in
        for row in rows {
          for index in 0..<size { elements[row * size + index] += delta[index] }
        }
      }
      return
    }
    var changed = normalized.rest.rows(at: treeRows)
    try decoder.add(downOutputs: downOutputs(normalized, treeRows, delta), layer: layer, to: &changed)
    hidden.withUnsafeMutablePointer { target in
      changed.withUnsafePointer { source in
        for (position, row) in rows.enumerated() {
          (target + row * size).update(from: source + position * size, count: size)
        }
      }
    }
  }

  /// The gradient with respect to `delta`, from the gradient with respect to `hidden`.
  func gradient(
    _ delta: [Float], dHidden: Matrix<Float>, rows: [Int], treeRows: [Int]
  ) throws -> [Float] {
    var gradient = dHidden.rows(at: rows)
    if let normalized {
      gradient = try decoder.downOutputsBackward(
        downOutputs(normalized, treeRows, delta), layer: layer, dStream: gradient)
    }
    return (0..<gradient.columns).map { column in
      Float((0..<gradient.rows).reduce(0.0) { $0 + Double(gradient[$1, column]) })
    }
  }

  private func downOutputs(_ normalized: Normalized, _ treeRows: [Int], _ delta: [Float]) -> Matrix<Float> {
    var outputs = normalized.downOutputs.rows(at: treeRows)
    let size = outputs.columns
    outputs.withUnsafeMutablePointer { elements in
      for row in 0..<treeRows.count {
        for index in 0..<size { elements[row * size + index] += delta[index] }
      }
    }
    return outputs
  }
}
