import Tensors
import Transformer

/// Where the deltas of a value search enter the residual stream: at the output of the edited block, or at its
/// down-projection's output, so that a value is one that it can give.
struct DeltaIntervention {
  /// The residual stream after the edited layer without deltas, all rows of the tree.
  let stream: Matrix<Float>
  /// The keys at the edited layer of the rows that were asked for.
  let keys: Matrix<Float>
  /// What later layers take of those up to the edited one, all rows of the tree.
  let shared: SharedKeyValues
  private let decoder: Decoder
  private let layer: Int
  private let tokens: [Int32]
  private let inside: Inside?
  /// What a delta is multiplied by on its way into the stream.
  private let scale: Float

  /// What enters at a down-projection whose output is more than added to the stream.
  private struct Inside {
    /// The residual stream without what the down-projection adds.
    let rest: Matrix<Float>
    let downOutputs: Matrix<Float>
  }

  /// Runs the layers up to the edited one.
  ///
  /// - Parameter keyRows: the rows of the tree whose keys at the edited layer are wanted.
  init(_ decoder: Decoder, tree: TokenTree, layer: Int, site: ValueSite, keyRows: [Int]) throws {
    self.decoder = decoder
    self.layer = layer
    tokens = tree.tokens
    shared = SharedKeyValues(decoder.architecture)
    let isInside = decoder.architecture.normalizesDownOutput
    scale = site == .perceptronOutput && !isInside ? decoder.architecture.branchScale : 1
    var hidden = try decoder.embed(tokens: tree.tokens, positions: tree.positions)
    var keysOfRows: Matrix<Float>?
    var downOutputs: Matrix<Float>?
    try decoder.forward(
      &hidden, plan: AttentionPlan(tree), tokens: tree.tokens, positions: tree.positions, layers: 0..<layer + 1,
      end: isInside ? .keys : .output, shared: shared
    ) { observation in
      guard case .keys(layer, let keys) = observation else { return }
      keysOfRows = keys.rows(at: keyRows)
      if isInside { downOutputs = try decoder.perceptronOutput(ofKeys: keys, layer: layer) }
    }
    keys = keysOfRows!
    inside = downOutputs.map { Inside(rest: hidden, downOutputs: $0) }
    if let downOutputs {
      hidden = try decoder.blockOutput(downOutputs: downOutputs, rest: hidden, tokens: tokens, layer: layer)
    }
    stream = hidden
  }

  /// What deltas at some rows are added to.
  func values(at rows: [Int]) -> Matrix<Float> { (inside?.downOutputs ?? stream).rows(at: rows) }

  /// Adds `delta` at rows of `hidden` that are the rows `treeRows` of the tree.
  func add(_ delta: [Float], to hidden: inout Matrix<Float>, rows: [Int], treeRows: [Int]) throws {
    let size = hidden.columns
    guard let inside else {
      hidden.withUnsafeMutablePointer { elements in
        for row in rows {
          for index in 0..<size { elements[row * size + index] += scale * delta[index] }
        }
      }
      return
    }
    let changed = try decoder.blockOutput(
      downOutputs: downOutputs(inside, treeRows, delta), rest: inside.rest.rows(at: treeRows),
      tokens: treeRows.map { tokens[$0] }, layer: layer)
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
    if let inside {
      gradient = try decoder.downOutputsBackward(
        downOutputs(inside, treeRows, delta), rest: inside.rest.rows(at: treeRows),
        tokens: treeRows.map { tokens[$0] }, layer: layer, dOutput: gradient)
    }
    return (0..<gradient.columns).map { column in
      scale * Float((0..<gradient.rows).reduce(0.0) { $0 + Double(gradient[$1, column]) })
    }
  }

  private func downOutputs(_ inside: Inside, _ treeRows: [Int], _ delta: [Float]) -> Matrix<Float> {
    var outputs = inside.downOutputs.rows(at: treeRows)
    let size = outputs.columns
    outputs.withUnsafeMutablePointer { elements in
      for row in 0..<treeRows.count {
        for index in 0..<size { elements[row * size + index] += delta[index] }
      }
    }
    return outputs
  }
}
