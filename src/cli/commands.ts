import { addAccessCommand } from './commands/access.ts';
import { addAccountCommand } from './commands/account.ts';
import { addAuditCommand } from './commands/audit.ts';
import { addConfigCommand } from './commands/config.ts';
import { addDetectCommand } from './detect/detect.ts';
import { addDoctorCommand } from './doctor/doctor.ts';
import { addEnvCommand } from './commands/env.ts';
import { addExplainCommand } from './commands/explain.ts';
import { addHelmValuesCommand } from './charts/helm-values.ts';
import { addHelpCommand } from './help.ts';
import { addImagesCommand } from './commands/images.ts';
import { addK8sCommand } from './k8s/generate.ts';
import { addKeysCommand } from './keys/keys.ts';
import { addLifecycleCommand } from './lifecycle/lifecycle.ts';
import { addLoginCommand } from './commands/login.ts';
import { addMapCommand } from './move/map.ts';
import { addNodesCommand } from './nodes/nodes.ts';
import { addPolicyCommand } from './commands/policy.ts';
import { addRefreshCommand } from './commands/refresh.ts';
import { addPostRenderCommand } from './charts/post-render.ts';
import { addReposCommand } from './repos/repos.ts';
import { addRewriteCommand } from './rewrite/rewrite.ts';
import { addRoleCommand } from './role/role.ts';
import { addRulesCommand } from './commands/rules.ts';
import { addServeCommand } from './commands/serve.ts';
import { addTagsCommand } from './commands/tags.ts';
import { addTlsCommand } from './tls/tls.ts';
import { addTokenCommand } from './commands/token.ts';
import { addUserCommand } from './commands/user.ts';
import { addVersionCommand } from './commands/version.ts';
import { addWhoamiCommand } from './commands/whoami.ts';
import type { AddCommand } from './command-context.ts';

/** In the order in which help lists them; the reference in `docs/cli.md` is made from them. */
export const allCommands: readonly AddCommand[] = [
  addServeCommand,
  addExplainCommand,
  addRefreshCommand,
  addRulesCommand,
  addReposCommand,
  addTagsCommand,
  addImagesCommand,
  addLifecycleCommand,
  addLoginCommand,
  addWhoamiCommand,
  addAccountCommand,
  addUserCommand,
  addRoleCommand,
  addTokenCommand,
  addPolicyCommand,
  addAccessCommand,
  addKeysCommand,
  addAuditCommand,
  addDetectCommand,
  addMapCommand,
  addRewriteCommand,
  addHelmValuesCommand,
  addPostRenderCommand,
  addK8sCommand,
  addNodesCommand,
  addDoctorCommand,
  addConfigCommand,
  addEnvCommand,
  addTlsCommand,
  addVersionCommand,
  addHelpCommand,
];
