/** Safety of robots that learn: an independent monitor, fault injection, risk assessment. (Book, 14.6.) */
export {
  type CampaignOptions,
  CampaignReport,
  faultCampaign,
  type RunOutcome,
  reactionTimeOf,
} from "./campaign.js";
export {
  combined,
  type DrivingStack,
  FAULTS,
  type Fault,
  type OdometryReading,
  type StackInput,
} from "./faults.js";
export { type MonitorOptions, SafetyMonitor, type Verdict, type Violation } from "./monitor.js";
export { SafetyMonitorNode, safetyMonitorNode } from "./monitor-node.js";
export { type MonitorProcess, type MonitorProcessOptions, startSafetyMonitor } from "./monitor-process.js";
export {
  distanceToReach,
  type FieldOptions,
  type Intrusion,
  intrusion,
  type ProtectiveField,
  protectiveField,
  type RobotLimits,
  safeSpeed,
  stoppingDistance,
  stoppingTime,
} from "./protective-field.js";
export {
  type AssessedHazard,
  assessRisks,
  type Grade,
  type Hazard,
  type Mitigation,
  RiskAssessment,
} from "./risk.js";
export {
  frozenScan,
  geofence,
  insideBy,
  type LidarStopOptions,
  lidarStop,
  type SafetyRule,
  type Situation,
  speedLimit,
  watchdog,
} from "./rules.js";
