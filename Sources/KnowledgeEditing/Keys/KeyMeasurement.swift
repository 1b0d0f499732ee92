import Facts
import Tensors
import Transformer

/// Reads keys and outputs at lookup positions. Only the tokens up to them and the layers below are computed.
public struct KeyMeasurement {
  private let decoder: Decoder
  /// Rows that are in flight at once, at most (unless one fact alone has more): enough for tall products, in half a
  /// gigabyte.
  private let rowBudget: Int

  public init(_ decoder: Decoder) {
    self.decoder = decoder
    rowBudget = min(4096, (512 << 20) / decoder.architecture.forwardByteCountPerRow)
  }

  /// For each fact the inputs of the down-projection of `layer` at the lookup of each of its prompts.
  ///
  /// - Parameter prompts: for each fact, one prompt per context template.
  /// - Returns: for each fact, prompts x d_in.
  public func keys(_ prompts: [[TokenizedPrompt]], layer: Int) throws -> [Matrix<Float>] {
    var result: [Matrix<Float>] = []
    for chunk in chunks(prompts) {
      let tree = TokenTree(chunk.flatMap { $0.map(\.upToLookup) })
      let lookups = tree.rowsOfSequence.map { $0.last! }
      var measured: Matrix<Float>?
      try run(tree, layers: 0..<layer + 1, end: .keys) { observation in
        if case .keys(layer, let keys) = observation { measured = keys.rows(at: lookups) }
      }
      var start = 0
      for fact in chunk {
        result.append(measured!.rows(at: Array(start..<start + fact.count)))
        start += fact.count
      }
    }
    return result
  }

  /// For each prompt what a delta at `site` of block `layer` is added to at its lookup.
  ///
  /// - Returns: prompts x hidden size.
  public func outputs(
    _ prompts: [TokenizedPrompt], layer: Int, site: ValueSite = .blockOutput
  ) throws -> Matrix<Float> {
    if site == .perceptronOutput {
      let keys = try keys(prompts.map { [$0] }, layer: layer)
      return try decoder.perceptronOutput(
        ofKeys: Matrix(
          rows: keys.count, columns: decoder.architecture.layers[layer].intermediateSize,
          elements: keys.flatMap(\.elements)),
        layer: layer)
    }
    var elements: [Float] = []
    for chunk in chunks(prompts.map { [$0] }) {
      let tree = TokenTree(chunk.map { $0[0].upToLookup })
      let hidden = try run(tree, layers: 0..<layer + 1, end: .output)
      elements += hidden.rows(at: tree.rowsOfSequence.map { $0.last! }).elements
    }
    return Matrix(rows: prompts.count, columns: decoder.architecture.hiddenSize, elements: elements)
  }

  @discardableResult
  private func run(
    _ tree: TokenTree, layers: Range<Int>, end: Decoder.End, observe: ((Decoder.Observation) -> Void)? = nil
  ) throws -> Matrix<Float> {
    var hidden = try decoder.embed(tokens: tree.tokens, positions: tree.positions)
    try decoder.forward(
      &hidden, plan: AttentionPlan(tree), tokens: tree.tokens, positions: tree.positions, layers: layers, end: end,
      observe: observe)
    return hidden
  }

  private func chunks(_ prompts: [[TokenizedPrompt]]) -> [[[TokenizedPrompt]]] {
    var chunks: [[[TokenizedPrompt]]] = []
    var rows = 0
    for fact in prompts {
      let count = fact.reduce(0) { $0 + $1.lookup + 1 }
      if chunks.isEmpty || rows + count > rowBudget {
        chunks.append([])
        rows = 0
      }
      chunks[chunks.count - 1].append(fact)
      rows += count
    }
    return chunks
  }
}

/// How the keys measured in several contexts become one.
public enum KeyForm: String, Sendable {
  /// Half the bare prompt's key, half the mean over the other contexts (MEMIT, EMMET).
  case meanOfGroupMeans = "mean of group means"
  /// The mean over all contexts, the bare prompt counting as one (ROME).
  case flatMean = "flat mean"

  /// - Parameter keys: contexts x d_in, the bare prompt first.
  public func combine(_ keys: Matrix<Float>) -> [Double] {
    let others = keys.rows - 1
    return (0..<keys.columns).map { column in
      let bare = Double(keys[0, column])
      guard others > 0 else { return bare }
      let sum = (1..<keys.rows).reduce(0.0) { $0 + Double(keys[$1, column]) }
      switch self {
      case .meanOfGroupMeans: return (bare + sum / Double(others)) / 2
      case .flatMean: return (bare + sum) / Double(keys.rows)
      }
    }
  }
}
