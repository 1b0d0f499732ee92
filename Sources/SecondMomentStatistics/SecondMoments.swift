import Foundation
import LinearAlgebra
import Safetensors
import Synchronization
import Tensors

/// What a second-moment file says about its origin.
public struct SecondMomentOrigin: Sendable, Equatable {
  /// The model's name, for people.
  public var model: String
  public var tokenizer: Digest
  /// The corpus's file name, for people.
  public var corpus: String
  public var corpusDigest: Digest
  /// How many tokens stand in one sequence; 0 if that is not known, or not the same everywhere.
  public var sequenceLength: Int
  /// The digest of each layer's down-projection when its keys were measured: which model it was.
  public var weights: [Int: Digest]
  /// The tokenizer's own, which stood around the text of each sequence and were counted with it.
  public var specialTokens: SpecialTokens
  /// Which part of the corpus was counted, every so many sequences; nil for all of it.
  public var part: Part?

  /// As the tokenizer's file spells them.
  public struct SpecialTokens: Sendable, Equatable {
    public var before: [String]
    public var after: [String]

    /// What a file that says nothing was collected with.
    public static let none = SpecialTokens(before: [], after: [])

    package init(before: [String], after: [String]) {
      self.before = before
      self.after = after
    }
  }

  package static let unknownSequenceLength = 0

  package init(
    model: String, tokenizer: Digest, corpus: String, corpusDigest: Digest, sequenceLength: Int, weights: [Int: Digest],
    specialTokens: SpecialTokens = .none, part: Part? = nil
  ) {
    self.model = model
    self.tokenizer = tokenizer
    self.corpus = corpus
    self.corpusDigest = corpusDigest
    self.sequenceLength = sequenceLength
    self.weights = weights
    self.specialTokens = specialTokens
    self.part = part
  }
}

/// C = (1/N) sum k k^T for some layers of a model: the uncentred second moments of the keys over ordinary text.
///
/// A safetensors file: for each layer the tensor `second_moment.<layer>`, F32, d_in x d_in, and `__metadata__` with the
/// origin as JSON under `errata.second_moments`. An interrupted run leaves the sums, in F64, in a file of the same
/// kind.
public struct SecondMoments: Sendable {
  package static let metadataKey: ByteString = "errata.second_moments"

  public let origin: SecondMomentOrigin
  public let tokenCount: Int
  /// tr(W C W^T) per layer: the mean squared norm of the down-projection's output.
  public let outputPowers: [Int: Double]
  /// SHA-256 of the file.
  public let digest: Digest
  public let path: String
  private let file: SafetensorsFile

  public var layers: [Int] { origin.weights.keys.sorted() }

  /// - Throws: an `ErrataError` if the file cannot be read or is no second-moment file.
  public init(contentsOf path: String) throws {
    self.path = path
    file = try SafetensorsFile(path: path)
    let description = try SecondMomentDescription(file)
    guard description.isComplete else {
      throw ErrataError.notStatistics(path, "it holds the sums of an interrupted run; run 'errata stats' again")
    }
    origin = description.origin
    tokenCount = description.tokenCount
    outputPowers = description.outputPowers
    digest = try Digest(contentsOf: path)
  }

  /// d_in of one layer.
  ///
  /// - Throws: an `ErrataError` if the file has no such layer.
  public func keyLength(layer: Int) throws -> Int {
    guard origin.weights[layer] != nil else { throw ErrataError.statisticsWithoutLayer(path, layer, has: layers) }
    return try file.tensor(named: Self.tensorName(layer)).shape.extents.first ?? 0
  }

  /// C of one layer, d_in x d_in, widened to binary64.
  ///
  /// - Throws: an `ErrataError` if the file has no such layer, or its numbers are not finite.
  public func triangle(layer: Int) throws -> PackedTriangle {
    let size = try keyLength(layer: layer)
    let tensor = try file.tensor(named: Self.tensorName(layer))
    guard tensor.shape == [size, size], tensor.dtype.isWeightType else {
      throw ErrataError.notStatistics(path, "layer \(layer) is not a finite square matrix")
    }
    var result = PackedTriangle(size: size)
    let isFinite = Atomic(true)
    let rowBytes = size * tensor.dtype.bitsPerElement / 8
    result.setRows { row, columns, target in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: size) { values in
        let bytes = tensor.bytes[row * rowBytes..<(row + 1) * rowBytes]
        widen(UnsafeRawBufferPointer(rebasing: bytes), dtype: tensor.dtype, into: values)
        if !values.allSatisfy(\.isFinite) { isFinite.store(false, ordering: .relaxed) }
        for (offset, column) in columns.enumerated() { target[offset] = Double(values[column]) }
      }
    }
    guard isFinite.load(ordering: .relaxed) else {
      throw ErrataError.notStatistics(path, "layer \(layer) is not a finite square matrix")
    }
    return result
  }

  /// rho, what `PackedTriangle.addRidge` adds to every element of a layer's diagonal. Only the diagonal is read.
  ///
  /// - Parameter share: of the mean of the diagonal.
  /// - Throws: an `ErrataError` if the file has no such layer.
  package func ridge(_ share: Double, layer: Int) throws -> Double {
    guard share > 0 else { return 0 }
    let size = try keyLength(layer: layer)
    let tensor = try file.tensor(named: Self.tensorName(layer))
    guard tensor.shape == [size, size], tensor.dtype.isWeightType, size > 0 else {
      throw ErrataError.notStatistics(path, "layer \(layer) is not a finite square matrix")
    }
    let width = tensor.dtype.bitsPerElement / 8
    var sum = 0.0
    for row in 0..<size {
      let start = row * (size + 1) * width
      let element = Matrix(
        rows: 1, columns: 1, stored: UnsafeRawBufferPointer(rebasing: tensor.bytes[start..<start + width]),
        dtype: tensor.dtype)
      sum += Double(element[0, 0])
    }
    return share * sum / Double(size)
  }

  /// The layer whose down-projection had this tensor digest when its keys were measured.
  public func layer(ofWeight digest: Digest) -> Int? { layers.first { origin.weights[$0] == digest } }

  /// Checks that the file belongs to a model.
  ///
  /// - Parameters:
  ///   - weightDigests: for each layer to be edited, the digests that its down-projection may have: as it is, and, for
  ///     a checkpoint with a ledger, as it was in the base.
  /// - Throws: an `ErrataError`: a layer is missing, or the file belongs to another model or tokenizer.
  public func check(weightDigests: [Int: Set<Digest>], tokenizer: Digest) throws {
    for (layer, digests) in weightDigests.sorted(by: { $0.key < $1.key }) {
      guard let expected = origin.weights[layer] else {
        throw ErrataError.statisticsWithoutLayer(path, layer, has: layers)
      }
      guard digests.contains(expected) else {
        throw ErrataError.statisticsOfAnotherModel(path, layer: layer, expected: expected, found: digests.first!)
      }
    }
    guard tokenizer == origin.tokenizer else { throw ErrataError.statisticsOfAnotherTokenizer(path) }
  }

  package static func tensorName(_ layer: Int) -> ByteString { ByteString("second_moment.\(layer)") }

  /// Writes a complete file.
  ///
  /// - Parameters:
  ///   - sums: for each layer sum k k^T.
  ///   - outputPowers: tr(W C W^T) per layer.
  package static func write(
    _ sums: [Int: PackedTriangle], tokenCount: Int, outputPowers: [Int: Double], origin: SecondMomentOrigin,
    to path: String
  ) throws {
    let description = SecondMomentDescription(
      origin: origin, tokenCount: tokenCount, outputPowers: outputPowers, isComplete: true)
    let writer = try SafetensorsWriter(
      path: path,
      tensors: sums.map {
        TensorDeclaration(name: tensorName($0), dtype: .f32, shape: [$1.size, $1.size])
      }, metadata: [metadataKey: ByteString(description.json.serialized())])
    for tensor in writer.header.tensors {
      let layer = sums.keys.first { tensorName($0) == tensor.name }!
      let sum = sums[layer]!
      // A file holds the square; a few rows at a time need little memory.
      for start in stride(from: 0, to: sum.size, by: 64) {
        var means = sum.rows(start..<min(start + 64, sum.size))
        let count = means.count
        means.withUnsafeMutablePointer { for index in 0..<count { $0[index] /= Double(tokenCount) } }
        try means.narrowed().withUnsafePointer {
          try writer.write(UnsafeRawBufferPointer(UnsafeBufferPointer(start: $0, count: count)), of: tensor.name)
        }
      }
    }
    try writer.commit()
  }
}
