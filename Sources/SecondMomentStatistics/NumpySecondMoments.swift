import Foundation
import LinearAlgebra
import NumpyArchive
import Tensors

/// Second moments as the ROME and MEMIT code keeps them (`util/runningstats.py`, as on rome.baulab.info/data/stats): a
/// `.npz` file for each layer, with `mom2.mom2`, the sum of k k^T, and `mom2.count`, the number of keys.
public struct NumpySecondMoments: Sendable {
  public let path: String
  public let layer: Int

  /// - Parameters:
  ///   - layer: nil takes it from the file's name, which in that code begins with the module's name:
  ///     `transformer.h.17.mlp.c_proj_float32_mom2_100000.npz`.
  /// - Throws: an `ErrataError` if the name says no layer, or the model has no such layer.
  package init(path: String, layer: Int?, of model: some MeasuredModel) throws {
    self.path = path
    if let layer {
      try model.check(layers: [layer])
      self.layer = layer
      return
    }
    let name = URL(fileURLWithPath: path).lastPathComponent
    let found = (0..<model.layerCount).first { layer in
      let tensor = model.editedTensor(layer).description
      return name.hasPrefix((tensor.hasSuffix(".weight") ? String(tensor.dropLast(7)) : tensor) + "_")
    }
    guard let found else { throw ErrataError.numpyFileWithoutLayer(path) }
    self.layer = found
  }

  init(path: String, layer: Int) {
    self.path = path
    self.layer = layer
  }

  /// Writes the second moments of some layers as a file of `errata stats`. That they are the model's cannot be checked:
  /// the files say no more than the keys' length.
  ///
  /// - Parameters:
  ///   - archives: of different layers, and counted over the same number of keys.
  ///   - output: the file to write.
  /// - Throws: an `ErrataError`: a file is damaged or does not fit the model or the others.
  package static func convert(_ archives: [NumpySecondMoments], of model: some MeasuredModel, to output: String) throws
  {
    let archives = archives.sorted { $0.layer < $1.layer }
    if let (first, second) = zip(archives, archives.dropFirst()).first(where: { $0.layer == $1.layer }) {
      throw ErrataError.numpyFilesOfOneLayer(first.path, second.path, layer: first.layer)
    }
    var sums: [Int: PackedTriangle] = [:]
    var powers: [Int: Double] = [:]
    var weights: [Int: Digest] = [:]
    var tokenCount: Int?
    var hasher = DigestHasher()
    for archive in archives {
      let (sum, count) = try archive.read(keyLength: model.keyLength(ofLayer: archive.layer))
      if let tokenCount, tokenCount != count {
        throw ErrataError.numpyFilesOfDifferentCounts(archives[0].path, tokenCount, archive.path, count)
      }
      tokenCount = count
      powers[archive.layer] = try model.outputPower(ofKeysWithSum: sum, tokenCount: count, layer: archive.layer)
      sums[archive.layer] = sum
      weights[archive.layer] = try model.weightDigest(ofLayer: archive.layer)
      hasher.update(try Digest(contentsOf: archive.path).description + "\n")
    }
    let origin = SecondMomentOrigin(
      model: model.name, tokenizer: model.tokenizerDigest,
      corpus: archives.map { URL(fileURLWithPath: $0.path).lastPathComponent }.joined(separator: ", "),
      corpusDigest: hasher.finalize(), sequenceLength: SecondMomentOrigin.unknownSequenceLength, weights: weights,
      // The published code lets the tokenizer encode each text, with the special tokens that it adds.
      specialTokens: model.specialTokens)
    try SecondMoments.write(
      sums, tokenCount: tokenCount!, outputPowers: powers, origin: origin, to: output)
  }

  /// sum k k^T, d_in x d_in, and the number of keys.
  func read(keyLength: Int) throws -> (sum: PackedTriangle, count: Int) {
    let archive = try NumpyArchive(path: path)
    func array<Result>(_ name: String, _ maximumCount: Int, _ body: (NumpyArray) throws -> Result) throws -> Result {
      guard let result = try archive.withArray(name, maximumByteCount: maximumCount, body) else {
        throw ErrataError.notNumpySecondMoments(path, "it has no '\(name)'")
      }
      return result
    }
    let count = try array("mom2.count", 8) { array -> Double in
      guard array.shape.allSatisfy({ $0 == 1 }) else {
        throw ErrataError.notNumpySecondMoments(path, "'mom2.count' is not one number")
      }
      return array.number(0)
    }
    guard count >= 1, count < 0x1p53, count == count.rounded() else {
      throw ErrataError.notNumpySecondMoments(path, "'mom2.count' is not a positive number of keys")
    }
    let sum = try array("mom2.mom2", 8 * keyLength * keyLength) { array -> PackedTriangle in
      guard array.shape == [keyLength, keyLength] else {
        throw ErrataError.numpyFileOfAnotherModel(path, shape: array.shape, keyLength: keyLength)
      }
      guard array.type != .float16 else {
        throw ErrataError.notNumpySecondMoments(path, "'mom2.mom2' is of half precision, too coarse for sums")
      }
      return try symmetricMatrix(array)
    }
    return (sum, Int(count))
  }

  /// The sum, whose halves the rounding of another program may have made a little different: their mean.
  private func symmetricMatrix(_ array: NumpyArray) throws -> PackedTriangle {
    let size = array.shape[0]
    let diagonal = (0..<size).map { array.number($0 * size + $0) }
    guard diagonal.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
      throw ErrataError.notNumpySecondMoments(path, "'mom2.mom2' has a diagonal element that is negative or not finite")
    }
    var result = PackedTriangle(size: size)
    for row in 0..<size {
      for column in 0...row {
        let (lower, upper) = (array.number(row * size + column), array.number(column * size + row))
        // Bounds also the elements that are not finite: then the comparison is false.
        guard abs(lower - upper) <= 1e-3 * (diagonal[row] * diagonal[column]).squareRoot() else {
          throw ErrataError.notNumpySecondMoments(path, "'mom2.mom2' is not a symmetric, finite matrix")
        }
        result[row, column] = (lower + upper) / 2
      }
    }
    return result
  }
}
