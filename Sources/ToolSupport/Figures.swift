import Foundation

// Figures for people: what is missing is a dash.

/// A share for people, in percent: "0.0058%", "15%", "2847%".
///
/// - Parameters:
///   - share: may be very small; "-" if there is none.
///   - digits: how many digits count. All of them are shown of what stands before the point.
public func formatShare(_ share: Double?, digits: Int) -> String {
  guard let share else { return "-" }
  let percent = 100 * share
  let text = String(format: "%.\(digits)g", percent)
  // From here on nobody counts digits.
  guard text.contains("e+"), abs(percent) < 1e15 else { return text + "%" }
  return String(format: "%.0f%%", percent)
}

/// A probability or a score's share for people, in percent with one decimal: "97.4%", "-" if there is none.
public func formatPercent(_ share: Double?) -> String { share.map { String(format: "%.1f%%", 100 * $0) } ?? "-" }

/// A figure for people, to four digits: "5.349", "0.0004122", "-" if there is none.
public func formatNumber(_ value: Double?) -> String { value.map { String(format: "%.4g", $0) } ?? "-" }

/// A duration for people: "45 s", "3 min 20 s", "2 h 5 min".
public func formatDuration(_ seconds: Double) -> String {
  // Past this (thirty million years) it is no duration, and before long no Int.
  guard seconds.isFinite, seconds < 1e15 else { return "?" }
  let whole = Int(max(0, seconds).rounded(.up))
  if whole < 60 { return "\(whole) s" }
  if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
  return "\(whole / 3600) h \(whole % 3600 / 60) min"
}

/// A size for people: "512 B", "1.4 kB", "3.2 MB" (powers of 1000).
public func formatBytes(_ count: Int) -> String {
  var value = Double(count)
  if value < 1000 { return "\(count) B" }
  for unit in ["kB", "MB", "GB"] {
    value /= 1000
    if value < 999.5 || unit == "GB" { return String(format: value < 9.95 ? "%.1f \(unit)" : "%.0f \(unit)", value) }
  }
  return "\(count) B"
}

/// Below a table whose preservations are upper bounds.
public let upperBoundNote =
  "preservation: at most; the patch records its ridge as a share only, and what the ridge has in it cannot be told"
