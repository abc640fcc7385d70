import { addAccessCommand } from './access.ts';
import { addAccountCommand } from './account.ts';
import { addAuditCommand } from './audit.ts';
import { addConfigCommand } from './config.ts';
import { addDoctorCommand } from './doctor.ts';
import { addEnvCommand } from './env.ts';
import { addExplainCommand } from './explain.ts';
import { addHelpCommand } from './help.ts';
import { addImagesCommand } from './images.ts';
import { addLoginCommand } from './login.ts';
import { addPolicyCommand } from './policy.ts';
import { addRefreshCommand } from './refresh.ts';
import { addReposCommand } from './repos.ts';
import { addRulesCommand } from './rules.ts';
import { addServeCommand } from './serve.ts';
import { addTagsCommand } from './tags.ts';
import { addTlsCommand } from './tls.ts';
import { addTokenCommand } from './token.ts';
import { addUserCommand } from './user.ts';
import { addVersionCommand } from './version.ts';
import { addWhoamiCommand } from './whoami.ts';
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
  addLoginCommand,
  addWhoamiCommand,
  addAccountCommand,
  addUserCommand,
  addTokenCommand,
  addPolicyCommand,
  addAccessCommand,
  addAuditCommand,
  addDoctorCommand,
  addConfigCommand,
  addEnvCommand,
  addTlsCommand,
  addVersionCommand,
  addHelpCommand,
];
