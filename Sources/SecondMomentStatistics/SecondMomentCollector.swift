import Dispatch
import Foundation
import LinearAlgebra
import Safetensors
import Tensors

/// Collects second moments: all requested layers in one pass over a text, nothing above the last of them computed.
///
/// The special tokens that the tokenizer puts around a text (a token for its beginning, in Llama and Gemma) stand
/// around the text of each sequence and are counted with it, as in the published `layer_stats`, which lets the
/// tokenizer encode each of its sequences: a fact's prompt begins with them too, and what a token attends to decides
/// its key.
public final class SecondMomentCollector {
  public struct Progress: Sendable {
    public let tokens: Int
    public let total: Int
    /// Counted by an earlier, interrupted run.
    public let resumedTokens: Int
  }

  public enum Outcome: Sendable, Equatable {
    case complete(tokens: Int)
    /// What was counted is kept beside the output; the same command continues.
    case interrupted(tokens: Int, partialPath: String)
  }

  private let source: any KeySource
  /// Of all parts.
  private let allTokens: Int
  /// How many tokens are counted if the text does not end before.
  public let wantedTokens: Int
  private let outputPath: String
  private var sums: [Int: PackedTriangle]
  private var tokens = 0
  /// Sequences in one pass: enough rows for tall products, few enough for the buffers to stay small.
  private static let rowsPerPass = 2048
  /// Keys that are widened to binary64 at once.
  private static let rowsPerProduct = 512

  /// Ascending.
  public var layers: [Int] { source.layers }
  private var origin: SecondMomentOrigin { source.origin }
  private var partialPath: String { outputPath + ".partial" }

  /// Takes up what an interrupted run left for the same output.
  ///
  /// - Parameters:
  ///   - tokenCount: how many tokens to count, in all parts together; fewer are counted if the text ends.
  ///   - outputPath: the second-moment file to write; an interrupted run's is that with `.partial`.
  /// - Throws: an `ErrataError`, also if the interrupted run was one of another model, text or setting.
  package init(_ source: any KeySource, tokenCount: Int, outputPath: String) throws {
    self.source = source
    self.outputPath = outputPath
    allTokens = tokenCount
    wantedTokens = source.origin.tokenCount(of: tokenCount)
    sums = Dictionary(
      uniqueKeysWithValues: source.layers.map { ($0, PackedTriangle(size: source.model.keyLength(ofLayer: $0))) })
    guard FileManager.default.fileExists(atPath: partialPath) else { return }
    do {
      try resume()
    } catch let error as ErrataError where error.kind == .damagedInput {
      throw ErrataError.partialDamaged(partialPath)
    }
  }

  /// - Parameters:
  ///   - onProgress: called after each pass.
  ///   - isInterrupted: asked after each pass; true keeps what was counted and stops.
  /// - Throws: an `ErrataError` if the text is not UTF-8, or too short to be of use.
  public func run(onProgress: (Progress) -> Void, isInterrupted: () -> Bool) throws -> Outcome {
    let resumed = tokens
    let length = origin.sequenceLength
    var sequences: [[Int32]] = []
    var skipped = tokens
    for (index, sequence) in source.sequences().enumerated() {
      let sequence = try sequence.get()
      if let part = origin.part {
        // The parts' sequences are together those of one run over the text.
        if index * length >= allTokens { break }
        guard part.takes(index) else { continue }
      }
      // The interrupted run ended with a whole sequence.
      if skipped > 0 {
        skipped -= sequence.count
        continue
      }
      if tokens + sequences.count * length >= wantedTokens { break }
      sequences.append(sequence)
      if (sequences.count + 1) * length > Self.rowsPerPass {
        try Profile.measure("passes") { try count(&sequences) }
        onProgress(Progress(tokens: tokens, total: wantedTokens, resumedTokens: resumed))
        if isInterrupted() {
          try writePartial()
          return .interrupted(tokens: tokens, partialPath: partialPath)
        }
      }
    }
    try Profile.measure("passes") { try count(&sequences) }
    guard tokens > 0 else { throw source.textTooShort }
    try Profile.measure("write") { try write() }
    return .complete(tokens: tokens)
  }

  /// What a run costs on this machine.
  public struct Estimate: Sendable {
    public let tokens: Int
    public let seconds: Double
    /// Of memory, beside the model's weights: the sums, and the rows of a pass.
    public let byteCount: Int
  }

  /// Measures a pass over the first sequences, and counts passes; nothing is kept.
  ///
  /// - Throws: as `run`.
  public func estimate() throws -> Estimate {
    let kept = (sums, tokens)
    defer { (sums, tokens) = kept }
    let length = origin.sequenceLength
    var sequences = try source.sequences().prefix(max(1, Self.rowsPerPass / length)).map { try $0.get() }
    guard let first = sequences.first else { throw source.textTooShort }
    func seconds(_ sequences: inout [[Int32]]) throws -> Double {
      let start = DispatchTime.now().uptimeNanoseconds
      try count(&sequences)
      return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    }
    // What is touched for the first time, weights and buffers, costs once.
    var short = [first]
    let warm = try seconds(&short)
    let rest = max(wantedTokens - kept.1, 0)
    let rows = sequences.reduce(0) { $0 + $1.count }
    // Of a model that takes seconds a sequence, one sequence tells enough.
    let isSlow = warm > 5
    let rate = isSlow ? Double(length) / warm : Double(rows) / (try seconds(&sequences))
    let triangles = sums.values.reduce(0) { $0 + $1.elements.count * MemoryLayout<Double>.stride }
    return Estimate(
      tokens: rest, seconds: Double(rest) / rate, byteCount: triangles + source.byteCountPerRow * Self.rowsPerPass)
  }

  private func count(_ sequences: inout [[Int32]]) throws {
    guard !sequences.isEmpty else { return }
    let rows = sequences.reduce(0) { $0 + $1.count }
    var widened = Matrix<Double>(
      uninitializedRows: min(rows, Self.rowsPerProduct), columns: sums.values.map(\.size).max()!)
    try source.measureKeys(of: sequences) { [self] layer, keys in
      let width = keys.columns
      keys.withUnsafePointer { source in
        widened.withUnsafeMutablePointer { target in
          for start in stride(from: 0, to: keys.rows, by: Self.rowsPerProduct) {
            let rows = min(Self.rowsPerProduct, keys.rows - start)
            let shared = Shared((source: source + start * width, target: target))
            Threads.forRanges(rows * width, grain: 1 << 16) { range in
              for index in range { shared.pointer.target[index] = Double(shared.pointer.source[index]) }
            }
            sums[layer]!.addOuterProducts(ofRows: target, count: rows)
          }
        }
      }
    }
    for layer in sums.keys.sorted() where !sums[layer]!.diagonal.allSatisfy(\.isFinite) {
      throw source.keysNotFinite(layer: layer)
    }
    tokens += rows
    sequences.removeAll(keepingCapacity: true)
  }

  private func write() throws {
    var powers: [Int: Double] = [:]
    for layer in sums.keys {
      powers[layer] = try source.model.outputPower(ofKeysWithSum: sums[layer]!, tokenCount: tokens, layer: layer)
    }
    try SecondMoments.write(
      sums, tokenCount: tokens, outputPowers: powers, origin: origin, to: outputPath)
    unlink(partialPath)
  }
}

extension SecondMomentOrigin {
  /// Of so many tokens those that are counted, in whole sequences of the part.
  fileprivate func tokenCount(of count: Int) -> Int {
    let sequences = (count + sequenceLength - 1) / sequenceLength
    let mine = part.map { part in (sequences - part.index + part.count) / part.count } ?? sequences
    return mine * sequenceLength
  }
}

// MARK: - Interrupted runs

extension SecondMomentCollector {
  private func writePartial() throws {
    let description = SecondMomentDescription(origin: origin, tokenCount: tokens, isComplete: false)
    let writer = try SafetensorsWriter(
      path: partialPath,
      tensors: sums.map {
        TensorDeclaration(name: SecondMoments.tensorName($0), dtype: .f64, shape: [$1.elements.count])
      }, metadata: [SecondMoments.metadataKey: ByteString(description.json.serialized())])
    for tensor in writer.header.tensors {
      let sum = sums.first { SecondMoments.tensorName($0.key) == tensor.name }!.value
      try sum.elements.withUnsafePointer {
        try writer.write(
          UnsafeRawBufferPointer(UnsafeBufferPointer(start: $0, count: sum.elements.count)), of: tensor.name)
      }
    }
    try writer.commit()
  }

  private func resume() throws {
    let file = try SafetensorsFile(path: partialPath)
    let found = try SecondMomentDescription(file).origin
    let fields: [(String, Bool)] = [
      ("model or set of layers", found.weights == origin.weights), ("tokenizer", found.tokenizer == origin.tokenizer),
      ("text", found.corpusDigest == origin.corpusDigest),
      ("sequence length", found.sequenceLength == origin.sequenceLength),
      ("set of special tokens", found.specialTokens == origin.specialTokens), ("part", found.part == origin.part),
    ]
    if let different = fields.first(where: { !$0.1 }) {
      throw ErrataError.partialOfAnotherRun(partialPath, different.0)
    }
    tokens = try SecondMomentDescription(file).tokenCount
    for layer in sums.keys {
      let elements = try file.tensor(named: SecondMoments.tensorName(layer)).doubleMatrix()
      guard elements.rows == 1, elements.count == sums[layer]!.elements.count else {
        throw ErrataError.notStatistics(partialPath, "layer \(layer) has the wrong shape")
      }
      sums[layer] = PackedTriangle(size: sums[layer]!.size, elements: elements)
    }
  }
}
