import type { Check } from '../command-context.ts';
import type { Paint } from '../terminal/terminal.ts';
import { printable } from '../terminal/table.ts';

export interface DoctorReport {
  /** True where no check is an `error`. */
  readonly success: boolean;
  readonly categories: readonly DoctorCategory[];
}

export interface DoctorCategory {
  readonly categoryName: string;
  readonly checks: readonly Check[];
}

export function passed(description: string): Check {
  return { description, result: 'success' };
}

export function warned(description: string, error: string, hint?: string): Check {
  return { description, result: 'warning', error, ...(hint && { hint }) };
}

export function failed(description: string, error: string, hint?: string): Check {
  return { description, result: 'error', error, ...(hint && { hint }) };
}

export function reportOf(categories: readonly DoctorCategory[]): DoctorReport {
  const checks = categories.flatMap((category) => category.checks);
  return { success: checks.every((check) => check.result !== 'error'), categories };
}

const marks = {
  success: ['green', '√'],
  warning: ['yellow', '‼'],
  error: ['red', '×'],
} as const;

/** One category as text: its name underlined, a line a check, what is wrong and what to do below it. */
export function renderCategory(category: DoctorCategory, paint: Paint): string {
  const { categoryName, checks } = category;
  const lines = [paint('bold', categoryName), '-'.repeat(categoryName.length)];
  for (const check of checks) {
    const [color, mark] = marks[check.result];
    lines.push(`${paint(color, mark)} ${printable(check.description)}`);
    if (check.error !== undefined) lines.push(`    ${printable(check.error)}`);
    if (check.hint !== undefined) lines.push(`    hint: ${printable(check.hint)}`);
  }
  return `${lines.join('\n')}\n\n`;
}

export function renderStatus(report: DoctorReport, paint: Paint): string {
  const checks = report.categories.flatMap((category) => category.checks);
  const many = (result: Check['result']): number =>
    checks.filter((check) => check.result === result).length;
  const status = report.success ? paint('green', '√') : paint('red', '×');
  return `Status: ${status} ${many('success')} passed, ${many('warning')} warnings, ${many('error')} failed\n`;
}
