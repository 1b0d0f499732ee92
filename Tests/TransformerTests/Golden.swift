import Foundation
import Safetensors
import Tensors
import TestSupport
import Transformer

/// A tiny random model and the numbers that Hugging Face transformers computed with it.
struct Golden {
  struct Sequence {
    let tokens: [Int32]
    let deltaPosition: Int
    let targetCount: Int
    let editLayer: Int
    let likelihoodAtZero: Double
    let likelihood: Double
    let divergence: Double
  }

  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Golden").path

  let decoder: Decoder
  let tensors: SafetensorsFile
  let sequences: [Sequence]

  init(_ family: String) throws { try self.init(GoldenFamily.named(family)) }

  init(_ family: GoldenFamily) throws {
    let directory = family.path
    decoder = try Decoder(Checkpoint(path: directory))
    tensors = try SafetensorsFile(path: directory + "/golden.safetensors")
    let facts = try JSON.parse(contentsOf: directory + "/golden.json")["seqs"]!.arrayValue!
    let file = tensors
    sequences = try facts.enumerated().map { index, facts in
      let bytes = try file.tensor(named: ByteString("seq\(index).ids")).bytes
      let tokens = stride(from: 0, to: bytes.count, by: 4).map {
        bytes.loadUnaligned(fromByteOffset: $0, as: Int32.self)
      }
      return Sequence(
        tokens: tokens, deltaPosition: facts["pos"]!.integerValue!, targetCount: facts["n_target"]!.integerValue!,
        editLayer: facts["edit_layer"]!.integerValue!, likelihoodAtZero: facts["nll0"]!.doubleValue!,
        likelihood: facts["nll"]!.doubleValue!, divergence: facts["kl"]!.doubleValue!)
    }
  }

  func matrix(_ name: String) throws -> Matrix<Float> { try tensors.tensor(named: ByteString(name)).matrix() }
}

/// The largest difference, in units of the largest expected value.
func largestError(_ found: [Float], _ expected: [Float]) -> Double {
  guard found.count == expected.count, found.allSatisfy(\.isFinite) else { return .infinity }
  let difference = zip(found, expected).reduce(0.0) { max($0, abs(Double($1.0) - Double($1.1))) }
  let largest = expected.reduce(0.0) { max($0, abs(Double($1))) }
  // Behind the last keys that others read, a change reaches no other token: no gradient at all.
  return difference == 0 ? 0 : difference / largest
}

/// norm(found - expected) / norm(expected)
func relativeError(_ found: [Float], _ expected: [Float]) -> Double {
  precondition(found.count == expected.count)
  var (difference, norm) = (0.0, 0.0)
  for (a, b) in zip(found, expected) {
    difference += (Double(a) - Double(b)) * (Double(a) - Double(b))
    norm += Double(b) * Double(b)
  }
  return (difference / norm).squareRoot()
}
