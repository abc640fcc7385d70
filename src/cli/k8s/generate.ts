import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { addMutatingPolicyCommand } from './mutating-policy.ts';
import { addValidatingPolicyCommand } from './validating-policy.ts';

export function addK8sCommand(program: Command, context: CommandContext): void {
  const k8s = program
    .command('k8s')
    .summary('what a cluster is given, as text')
    .description('Generates objects for a cluster. Nothing is changed in one.')
    .helpCommand(false);
  const generate = k8s
    .command('generate')
    .summary('policies that rewrite images, or say where they may come from')
    .description('Prints objects that are applied with kubectl apply -f -.')
    .helpCommand(false);
  addMutatingPolicyCommand(generate, context);
  addValidatingPolicyCommand(generate, context);
}
