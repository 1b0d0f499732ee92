import CKernels
import LinearAlgebra
import Tensors

/// Causal attention with grouped queries over the runs of a plan.
///
/// Rows are packed: the queries of all heads, then the keys, then the values (keys rotated already). For each run and
/// key-value head the keys and values of its path are gathered once and serve all query heads of the group.
struct Attention {
  let headCount: Int
  let keyValueHeadCount: Int
  let headSize: Int
  let scale: Float
  /// What scores are bounded by, softly: cap tanh(score / cap).
  var scoreCap: Float?
  /// What scores get for the keys' positions.
  var positionBias: PositionBias?

  private var querySize: Int { headCount * headSize }
  private var keyValueSize: Int { keyValueHeadCount * headSize }
  private var stride: Int { querySize + 2 * keyValueSize }
  private var queriesPerKey: Int { headCount / keyValueHeadCount }

  /// What the softmax multiplies scores by that nothing has scaled yet.
  private var softmaxScale: Float { scoreCap == nil && positionBias == nil ? scale : 1 }

  /// Queries are taken this many at a time, so that long runs compute little of the triangle that they do not see.
  private static let queryBlock = 64

  /// For each run, where its softmax probabilities start in a tape, and the number of values in all.
  static func probabilityOffsets(_ plan: AttentionPlan, headCount: Int) -> (offsets: [Int], count: Int) {
    var offsets: [Int] = []
    var count = 0
    for run in plan.runs {
      offsets.append(count)
      count += headCount * run.rows.count * padded(run.contextCount + run.rows.count)
    }
    return (offsets, count)
  }

  /// Columns are padded to the vector width, so that the kernels need no remainder.
  private static func padded(_ columns: Int) -> Int { (columns + 7) / 8 * 8 }

  /// - Parameters:
  ///   - packed: query, key and value of every active row.
  ///   - kept: key and value of every kept row of this layer.
  ///   - window: how many rows a row sees at most, itself included; nil for all.
  ///   - output: rows x (heads * head size).
  ///   - probabilities: where to record the softmax for `backward`, laid out by `probabilityOffsets`.
  func forward(
    _ plan: AttentionPlan, packed: UnsafePointer<Float>, kept: UnsafePointer<Float>?, window: Int? = nil,
    into output: UnsafeMutablePointer<Float>, probabilities: UnsafeMutablePointer<Float>?
  ) {
    let shared = Shared((packed: packed, kept: kept, output: output, probabilities: probabilities))
    let offsets = probabilities == nil ? [] : Self.probabilityOffsets(plan, headCount: headCount).offsets
    Profile.measure("attention") {
      Threads.forEach(plan.runs.count * keyValueHeadCount) { task in
        let (index, keyValueHead) = task.quotientAndRemainder(dividingBy: keyValueHeadCount)
        let run = plan.runs[index]
        let count = run.rows.count
        let contextCount = run.contextCount
        let columns = contextCount + count
        let width = Self.padded(columns)
        let pointers = shared.pointer
        let scoreCount = pointers.probabilities == nil ? min(count, Self.queryBlock) * width : 0
        let scratchCount = 2 * width * headSize + scoreCount
        withUnsafeTemporaryAllocation(of: Float.self, capacity: scratchCount) { scratch in
          let keysTransposed = scratch.baseAddress!
          let values = keysTransposed + width * headSize
          gather(
            run, keyValueHead, pointers.packed, pointers.kept, keys: nil, keysTransposed: keysTransposed,
            values: values, valuesTransposed: nil, width: width)
          for head in keyValueHead * queriesPerKey..<(keyValueHead + 1) * queriesPerKey {
            for start in Swift.stride(from: 0, to: count, by: Self.queryBlock) {
              let rows = min(Self.queryBlock, count - start)
              let visible = Self.padded(contextCount + start + rows)
              let scores: UnsafeMutablePointer<Float>
              if let recorded = pointers.probabilities {
                scores = recorded + offsets[index] + (head * count + start) * width
              } else {
                scores = values + width * headSize
              }
              let query = pointers.packed + (run.rows.lowerBound + start) * stride + head * headSize
              errata_small_product(
                query, stride, keysTransposed, width, scores, width, rows, visible, headSize, 0)
              if let scoreCap { errata_soft_cap(scores, width, rows, visible, scale, scoreCap) }
              positionBias?.add(to: scores, stride: width, rows: rows, columns: visible, head: head, scale: scale)
              errata_causal_softmax(scores, width, rows, width, contextCount + start, window ?? .max, softmaxScale)
              errata_small_product(
                scores, width, values, headSize,
                pointers.output + (run.rows.lowerBound + start) * querySize + head * headSize, querySize, rows,
                headSize,
                min(visible, columns), 0)
            }
          }
        }
      }
    }
  }

  /// From `dOutput` (rows x heads * head size) to `dPacked`, the gradients of every active row's query, key and value.
  /// Kept rows are constants.
  ///
  /// - Parameters:
  ///   - packed, kept, probabilities: as `forward` had and recorded them.
  ///   - dPacked: overwritten.
  func backward(
    _ plan: AttentionPlan, packed: UnsafePointer<Float>, kept: UnsafePointer<Float>?,
    probabilities: UnsafePointer<Float>, dOutput: UnsafePointer<Float>, into dPacked: UnsafeMutablePointer<Float>
  ) {
    dPacked.update(repeating: 0, count: plan.rowCount * stride)
    let shared = Shared(
      (packed: packed, kept: kept, probabilities: probabilities, dOutput: dOutput, dPacked: dPacked))
    let offsets = Self.probabilityOffsets(plan, headCount: headCount).offsets
    // Runs of one group add to the same context rows: a group's head is one task.
    Profile.measure("attention") {
      Threads.forEach(plan.groups.count * keyValueHeadCount) { task in
        let (group, keyValueHead) = task.quotientAndRemainder(dividingBy: keyValueHeadCount)
        for index in plan.groups[group] {
          let run = plan.runs[index]
          let pointers = shared.pointer
          backwardRun(
            run, keyValueHead, packed: pointers.packed, kept: pointers.kept,
            probabilities: pointers.probabilities + offsets[index], dOutput: pointers.dOutput,
            dPacked: pointers.dPacked)
        }
      }
    }
  }

  private func backwardRun(
    _ run: AttentionPlan.Run, _ keyValueHead: Int, packed: UnsafePointer<Float>, kept: UnsafePointer<Float>?,
    probabilities: UnsafePointer<Float>, dOutput: UnsafePointer<Float>, dPacked: UnsafeMutablePointer<Float>
  ) {
    let count = run.rows.count
    let columns = run.contextCount + count
    let width = Self.padded(columns)
    let panel = width * headSize
    withUnsafeTemporaryAllocation(of: Float.self, capacity: (scoreCap == nil ? 4 : 5) * panel + 2 * width * count) {
      scratch in
      let keys = scratch.baseAddress!
      let valuesTransposed = keys + panel
      let dKeys = keys + 2 * panel
      let dValues = keys + 3 * panel
      let dScores = keys + 4 * panel
      let transposed = dScores + width * count
      let keysTransposed = scoreCap == nil ? nil : transposed + width * count
      gather(
        run, keyValueHead, packed, kept, keys: keys, keysTransposed: keysTransposed, values: nil,
        valuesTransposed: valuesTransposed, width: width)
      dKeys.update(repeating: 0, count: 2 * panel)
      for head in keyValueHead * queriesPerKey..<(keyValueHead + 1) * queriesPerKey {
        let query = packed + run.rows.lowerBound * stride + head * headSize
        let dQuery = dPacked + run.rows.lowerBound * stride + head * headSize
        let dHead = dOutput + run.rows.lowerBound * querySize + head * headSize
        let p = probabilities + head * count * width
        // dV += P^T dO
        errata_small_transpose(p, width, transposed, count, count, width)
        errata_small_product(transposed, count, dHead, querySize, dValues, headSize, columns, headSize, count, 1)
        // dS = scale P (dO V^T - rowsum)
        errata_small_product(dHead, querySize, valuesTransposed, width, dScores, width, count, width, headSize, 0)
        errata_causal_softmax_backward(p, dScores, width, count, width, scoreCap == nil ? scale : 1)
        if let scoreCap, let keysTransposed {
          // The tape holds probabilities only: the capped scores are computed again.
          errata_small_product(query, stride, keysTransposed, width, transposed, width, count, width, headSize, 0)
          errata_soft_cap(transposed, width, count, width, scale, scoreCap)
          errata_soft_cap_backward(transposed, dScores, width, count, width, scale, scoreCap)
        }
        // dQ = dS K, dK += dS^T Q
        errata_small_product(dScores, width, keys, headSize, dQuery, stride, count, headSize, columns, 0)
        errata_small_transpose(dScores, width, transposed, count, count, width)
        errata_small_product(transposed, count, query, stride, dKeys, headSize, columns, headSize, count, 1)
      }
      scatter(run, keyValueHead, dKeys: dKeys, dValues: dValues, dPacked: dPacked)
    }
  }

  /// Collects the keys and values that a run sees: `width` columns or rows of `headSize`, those past the end zero.
  private func gather(
    _ run: AttentionPlan.Run, _ keyValueHead: Int, _ packed: UnsafePointer<Float>, _ kept: UnsafePointer<Float>?,
    keys: UnsafeMutablePointer<Float>?, keysTransposed: UnsafeMutablePointer<Float>?,
    values: UnsafeMutablePointer<Float>?, valuesTransposed: UnsafeMutablePointer<Float>?, width: Int
  ) {
    var column = 0
    for source in run.context + [.active(run.rows)] {
      let rows = source.rows
      let keyStart: UnsafePointer<Float>
      let rowStride: Int
      switch source {
      case .active:
        rowStride = stride
        keyStart = packed + rows.lowerBound * stride + querySize + keyValueHead * headSize
      case .kept:
        rowStride = 2 * keyValueSize
        keyStart = kept! + rows.lowerBound * rowStride + keyValueHead * headSize
      }
      let valueStart = keyStart + keyValueSize
      if let keysTransposed {
        errata_small_transpose(keyStart, rowStride, keysTransposed + column, width, rows.count, headSize)
      }
      if let valuesTransposed {
        errata_small_transpose(valueStart, rowStride, valuesTransposed + column, width, rows.count, headSize)
      }
      for row in 0..<rows.count {
        if let keys { (keys + (column + row) * headSize).update(from: keyStart + row * rowStride, count: headSize) }
        if let values {
          (values + (column + row) * headSize).update(from: valueStart + row * rowStride, count: headSize)
        }
      }
      column += rows.count
    }
    let missing = width - column
    for row in [keys, values] where row != nil {
      (row! + column * headSize).update(repeating: 0, count: missing * headSize)
    }
    for panel in [keysTransposed, valuesTransposed] where panel != nil {
      for row in 0..<headSize { (panel! + row * width + column).update(repeating: 0, count: missing) }
    }
  }

  /// Adds the gradients of a run's path to the active rows that it is made of.
  private func scatter(
    _ run: AttentionPlan.Run, _ keyValueHead: Int, dKeys: UnsafePointer<Float>, dValues: UnsafePointer<Float>,
    dPacked: UnsafeMutablePointer<Float>
  ) {
    var column = 0
    for source in run.context + [.active(run.rows)] {
      if case .active(let rows) = source {
        for (offset, row) in rows.enumerated() {
          let dKey = dPacked + row * stride + querySize + keyValueHead * headSize
          let dValue = dKey + keyValueSize
          let from = (column + offset) * headSize
          for index in 0..<headSize {
            dKey[index] += dKeys[from + index]
            dValue[index] += dValues[from + index]
          }
        }
      }
      column += source.rows.count
    }
  }
}
